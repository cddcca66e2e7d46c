/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The embedded broker in a process of its own, so that a process that plays media does
 * not end with it. The library starts this program with the locked file of the runtime
 * directory as descriptor HELPER_LOCK, and with no other than standard ones, which are
 * /dev/null, and for the log a pipe. The program ends by itself; see broker-helper.c.
 * Tests: hub-helper */
#include "control/wire/control-log-private.h"
#include "control/broker/broker-private.h"
#include "helper-private.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Each connection takes descriptors, and nothing here uses select(). */
static void
raise_limit (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) != 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);
}

/* The process that started this one may have real-time threads, and any directory. What
 * is refused here stays as it was. */
static void
settle (void)
{
  const struct sched_param none = { 0 };

  umask (0077);
  signal (SIGPIPE, SIG_IGN);
  signal (SIGXFSZ, SIG_IGN);
  sched_setscheduler (0, SCHED_OTHER, &none);
  raise_limit ();
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;

  if (fcntl (HELPER_LOCK, F_SETFD, FD_CLOEXEC) != 0) {
    g_printerr ("%s: libdatahub starts this program; to run a broker, use: "
                "datahub broker\n",
        HELPER_NAME);
    return 2;
  }
  g_set_prgname (HELPER_NAME);
  settle ();
  helper_log_begin ();
  g_autoptr (DatahubBroker) broker = datahub_broker_new ();
  broker_set_helper (broker, HELPER_LOCK);
  if (!datahub_broker_start (broker, &error)) {
    control_log (G_LOG_LEVEL_MESSAGE, "helper-failed", "%s", error->message);
    return 1;
  }
  helper_log_serves ();
  broker_wait (broker);
  return 0;
}
