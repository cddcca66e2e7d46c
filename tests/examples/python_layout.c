/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the compiler makes of the core's headers, for the test that compares it
 * with the ctypes declarations: a line for each structure, field and constant.
 */
#include <datahub/core.h>

#include <stdio.h>

#define STRUCT(type) printf ("struct %s %zu\n", #type, sizeof (type))
#define FIELD(type, field)                                                     \
  printf ("field %s.%s %zu %zu\n", #type, #field, offsetof (type, field),      \
      sizeof (((type *) 0)->field))
#define FUNCTION(name, n_arguments)                                            \
  printf ("function %s %d\n", #name, n_arguments)
#define CONSTANT(name) printf ("constant %s %lld\n", #name, (long long) (name))

int
main (void)
{
#include "python-layout-list.h" /* python_layout_list.py writes it */
  return 0;
}
