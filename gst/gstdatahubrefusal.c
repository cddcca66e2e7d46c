/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file that has the name of a block may belong to another user, or be no block.
 * A source goes on waiting then: the file can go, and a producer of its user can
 * come. A warning gives the reason once.
 * Tests: gst-identity */
#include "gstdatahubrefusal.h"
#include "gstdatahubclient.h"

#define DOING "waiting for a producer"

void
gst_datahub_refusal_clear (GstDatahubRefusal *refusal)
{
  *refusal = (GstDatahubRefusal){ 0 };
}

/* Of the kernel's refusals the library gives the number, of a producer's none; also of
 * a file that is no block, but not of one with damaged content. */
static gboolean
is_of_the_file (const DatahubError *error)
{
  return (error->code == DATAHUB_ERROR_DENIED
             || error->code == DATAHUB_ERROR_CORRUPT)
      && error->sys_errno != 0;
}

/**
 * gst_datahub_refusal_note:
 * @refusal: the last one
 * @element: posts a warning if this one is another
 * @error: why an attach failed
 *
 * Returns: whether the file under the name is the reason, so that the source should
 *     wait
 */
gboolean
gst_datahub_refusal_note (GstDatahubRefusal *refusal, GstElement *element,
    const DatahubError *error)
{
  if (!is_of_the_file (error)) {
    gst_datahub_refusal_clear (refusal);
    return FALSE;
  }
  if (!g_str_equal (refusal->error.message, error->message))
    gst_datahub_client_post (element, GST_MESSAGE_WARNING, error, DOING);
  refusal->error = *error;
  return TRUE;
}

/* Posts the refusal as an error. Returns: whether there is one */
gboolean
gst_datahub_refusal_post (const GstDatahubRefusal *refusal, GstElement *element)
{
  if (!refusal->error.code)
    return FALSE;
  gst_datahub_client_post_error (element, &refusal->error, DOING);
  return TRUE;
}
