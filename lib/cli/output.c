/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Output: tables for people, JSON for programs. Text that another process wrote
 * must pass cli_safe() before it is printed. */
#include "cli.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define GAP 2 /* between two columns */
#define LEAST 8 /* characters that cli_table_fit() leaves in the last column */

struct _CliTable
{
  guint n_columns;
  guint limit; /* of the last column, in characters; 0: none */
  GPtrArray *cells; /* of text, row by row; owned */
};

/* Returns @text as valid UTF-8 with '?' for each control character, so that it
 * cannot control the terminal. */
char *
cli_safe (const char *text)
{
  char *safe = g_utf8_make_valid (text, -1);

  for (char *c = safe; *c; c = g_utf8_next_char (c))
    if (g_unichar_iscntrl (g_utf8_get_char (c)))
      memset (c, '?', g_utf8_next_char (c) - c);
  return safe;
}

char *
cli_bytes (guint64 bytes)
{
  return g_format_size_full (bytes, G_FORMAT_SIZE_IEC_UNITS);
}

/* Prints an error of the subcommand and returns @code. */
int
cli_fail (int code, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  g_autofree char *safe = cli_safe (text);
  g_printerr ("%s: %s\n", g_get_prgname (), safe);
  return code;
}

/* Prints @json and takes ownership of it. */
void
cli_print_json (json_t *json)
{
  json_dumpf (json, stdout, JSON_INDENT (2) | JSON_ENSURE_ASCII);
  fputc ('\n', stdout);
  json_decref (json);
}

CliTable *
cli_table_new (const char *const *columns)
{
  CliTable *table = g_new0 (CliTable, 1);

  table->cells = g_ptr_array_new_with_free_func (g_free);
  for (; columns[table->n_columns]; table->n_columns++)
    g_ptr_array_add (table->cells, g_strdup (columns[table->n_columns]));
  return table;
}

/* Adds a row. The arguments are one text for each column, then NULL. */
void
cli_table_add (CliTable *table, ...)
{
  va_list args;
  const char *text;

  va_start (args, table);
  while ((text = va_arg (args, const char *)))
    g_ptr_array_add (table->cells, cli_safe (text));
  va_end (args);
}

/* Characters in a line of the terminal on standard output; 0 if standard output
 * is not a terminal, or the terminal has no width. */
guint
cli_terminal_width (void)
{
  struct winsize size = { 0 };

  return ioctl (STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* How many bytes of @cell take at most @limit characters of a line; *@width is
 * how many characters they take. */
static gsize
bytes_within (const char *cell, guint limit, guint *width)
{
  const char *end = cell;

  for (*width = 0; *end; end = g_utf8_next_char (end)) {
    gunichar c = g_utf8_get_char (end);
    guint more = g_unichar_iszerowidth (c) ? 0 : g_unichar_iswide (c) ? 2 : 1;

    if (more > limit - *width)
      break;
    *width += more;
  }
  return end - cell;
}

static guint
cell_width (const char *cell)
{
  guint width;

  bytes_within (cell, G_MAXUINT, &width);
  return width;
}

static guint
column_width (CliTable *table, guint column)
{
  guint width = 0;

  for (guint i = column; i < table->cells->len; i += table->n_columns)
    width = MAX (width, cell_width (g_ptr_array_index (table->cells, i)));
  return width;
}

/* Cuts the last column so that no line is longer than @width characters, if
 * @width leaves it any. Call it before cli_table_print(). */
void
cli_table_fit (CliTable *table, guint width)
{
  guint used = 0;

  for (guint i = 0; i + 1 < table->n_columns; i++)
    used += column_width (table, i) + GAP;
  table->limit = width > used + LEAST ? width - used : LEAST;
}

/* Prints the cell of the last column, cut to the table's limit. */
static void
print_last (CliTable *table, const char *cell)
{
  guint width = cell_width (cell);

  if (!table->limit || width <= table->limit)
    g_print ("%s\n", cell);
  else
    g_print ("%.*s…\n", (int) bytes_within (cell, table->limit - 1, &width),
        cell);
}

/* Prints the table. */
void
cli_table_print (CliTable *table)
{
  g_autofree guint *widths = g_new0 (guint, table->n_columns);

  for (guint i = 0; i < table->n_columns; i++)
    widths[i] = column_width (table, i);
  for (guint i = 0; i < table->cells->len; i++) {
    const char *cell = g_ptr_array_index (table->cells, i);
    guint column = i % table->n_columns;

    if (column == table->n_columns - 1)
      print_last (table, cell);
    else
      g_print ("%s%*s", cell, (int) (widths[column] - cell_width (cell)) + GAP,
          "");
  }
}

void
cli_table_free (CliTable *table)
{
  g_ptr_array_unref (table->cells);
  g_free (table);
}
