/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A broker that was named and is not there is not passed over in silence. */
#include "fixture.h"

#include <signal.h>

/* --- roles of children --- */

static int
try_to_connect (const char *endpoint)
{
  DatahubHub *hub = datahub_hub_new (0);

  if (!datahub_hub_connect_to (hub, endpoint, NULL, NULL, NULL))
    return 1;
  fixture_child_stay ();
  g_object_unref (hub);
  return 0;
}

/* --- the tests --- */

static void
test_named_broker_is_missed (void)
{
  g_autoptr (DatahubBroker) broker G_GNUC_UNUSED = fixture_broker (NULL);
  g_autofree char *endpoint =
      g_strconcat ("ipc://", fixture_dir (), "/nobody.sock", NULL);
  g_autofree char *line = g_strconcat ("no broker answers at ", endpoint,
      "; the connection is tried", NULL);
  Child *child = fixture_spawn ("try", endpoint);

  fixture_expect_line (child, line);
  fixture_signal (child, SIGKILL);
  fixture_reap (child);
}

static void
add_tests (void)
{
  fixture_add ("/hub/silence/named-broker-is-missed",
      test_named_broker_is_missed);
}

int
main (int argc, char **argv)
{
  fixture_add_role ("try", try_to_connect);
  return fixture_main (&argc, &argv, add_tests);
}
