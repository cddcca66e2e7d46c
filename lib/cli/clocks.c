/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether the producer of a block has the monotonic clock of this process, for
 * `datahub inspect` and `datahub doctor`.
 * Tests: cli-clocks */
#include "clocks.h"

static const char *
state_word (DatahubClockState state)
{
  static const char *const words[] = {
    [DATAHUB_CLOCK_SAME] = "same",
    [DATAHUB_CLOCK_MAPPED] = "mapped",
    [DATAHUB_CLOCK_OTHER_BOOT] = "other-boot",
    [DATAHUB_CLOCK_UNKNOWN] = "unknown",
    [DATAHUB_CLOCK_IMPLAUSIBLE] = "implausible",
  };

  return (guint) state < G_N_ELEMENTS (words) ? words[state] : "unknown";
}

/* What is different; NULL: nothing. */
static char *
describe (DatahubClockState state, gint64 offset)
{
  switch (state) {
    case DATAHUB_CLOCK_SAME:
      return NULL;
    case DATAHUB_CLOCK_MAPPED:
      return g_strdup_printf (
          "its monotonic clock is %.3f s %s the one here, as in "
          "another time namespace; its times are mapped",
          (double) ABS (offset) / 1e9, offset < 0 ? "ahead of" : "behind");
    case DATAHUB_CLOCK_OTHER_BOOT:
      return g_strdup (
          "its monotonic clock is that of another kernel; its times "
          "are not mapped");
    case DATAHUB_CLOCK_UNKNOWN:
      return g_strdup (
          "its monotonic clock is ahead of the one here, and the block "
          "has no clocks to compare; its times are not mapped");
    default:
      return g_strdup (
          "the clocks that it shows contradict themselves; its times "
          "are not mapped");
  }
}

/* Returns: a sentence about the producer of @channel, or NULL */
char *
cli_clock_text (const char *channel)
{
  DatahubClockState state;
  int64_t offset;

  if (datahub_block_inspect_clock (channel, &state, &offset, NULL)
      != DATAHUB_OK)
    return NULL;
  return describe (state, offset);
}

/* Adds nothing if the block is gone by now. */
void
cli_add_clock (json_t *json, const char *channel)
{
  DatahubClockState state;
  int64_t offset;

  if (datahub_block_inspect_clock (channel, &state, &offset, NULL)
      == DATAHUB_OK)
    json_object_update_new (json,
        json_pack ("{s:s, s:I}", "clock", state_word (state), "clock-offset-ns",
            (json_int_t) offset));
}

/* A problem where times are not mapped. */
void
doctor_note_clock (Subject *subject, const char *channel)
{
  DatahubClockState state;
  int64_t offset;
  gboolean mapped;
  g_autofree char *text = NULL;

  if (datahub_block_inspect_clock (channel, &state, &offset, NULL)
      == DATAHUB_OK)
    text = describe (state, offset);
  if (!text)
    return;
  mapped = state == DATAHUB_CLOCK_MAPPED;
  subject_add (subject,
      mapped ? DATAHUB_SEVERITY_NOTE : DATAHUB_SEVERITY_WARNING, "clock", -1,
      g_strdup_printf ("The producer's clock differs: %s.", text),
      mapped ? NULL
             : g_strdup (
                 "Set timestamps=passthrough and no max-age in the sources, "
                 "or run the producer with the clock of this machine."));
}
