/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starts the helper process of the embedded broker. The application gets no child of
 * it: an intermediate process starts the helper and ends. That one sends no SIGCHLD,
 * and a wait() of the application does not see it.
 *
 * The lock of the runtime directory goes from process to process as one open file
 * description: the kernel releases it when the last of them has closed it or died. So
 * one process at most has it at any time, and a kill at any instruction leaves a free
 * lock or a helper that holds it:
 *   before clone()        only this process has it
 *   until exec()          copies of this process have it, which exec() or end without
 *                         waiting for another process
 *   after exec()          the helper has it; without a client it ends by itself
 *   until this one's close()  both have it; if this process is stopped here and the
 *                         helper is killed, no other process can host a broker until
 *                         this one goes on, as while a process that hosts it is stopped
 * Tests: hub-helper */
#include "control/wire/control-log-private.h"
#include "control/broker/broker-private.h"
#include "control/wire/control-error-private.h"
#include "core/os/os-limits-private.h"
#include "hub-helper-private.h"

#include <datahub/block.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_SIZE (64 * 1024)
/* As vfork(): the pages of a big process are not copied. No signal is sent at the end.
 * ThreadSanitizer has no idea of two processes in one address space. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define INTERMEDIATE 0
#else
#define INTERMEDIATE (CLONE_VM | CLONE_VFORK)
#endif

typedef struct
{
  char *program, **environment; /* owned */
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
} Launch;

/* ---- what is started ---- */

/* In a build tree the helper is beside the library. */
static char *
find_beside_library (void)
{
  Dl_info info;

  if (dladdr ((void *) hub_helper_start, &info) == 0 || !info.dli_fname
      || !g_path_is_absolute (info.dli_fname))
    return NULL;
  g_autofree char *directory = g_path_get_dirname (info.dli_fname);
  return g_build_filename (directory, HELPER_NAME, NULL);
}

/* The environment is not asked in a process with more rights than its user. */
static char *
find_program (GError **error)
{
  const char *named = secure_getenv ("DATAHUB_BROKER_HELPER");
  g_autofree char *beside = find_beside_library ();
  const char *installed = HELPER_DIR "/" HELPER_NAME;

  if (named && *named)
    return g_strdup (named);
  if (beside && access (beside, X_OK) == 0)
    return g_steal_pointer (&beside);
  if (access (installed, X_OK) == 0)
    return g_strdup (installed);
  message_refuse (error, DATAHUB_HUB_ERROR_NOT_FOUND, "%s: %s", installed,
      os_reason (errno));
  return NULL;
}

/* The helper has another directory to start from than this process, so no path may be
 * relative. */
static char **
make_environment (const char *directory)
{
  char **environment =
      getauxval (AT_SECURE) ? g_new0 (char *, 1) : g_get_environ ();
  g_autofree char *shm =
      g_canonicalize_filename (datahub_shm_directory (), NULL);

  environment =
      g_environ_setenv (environment, "DATAHUB_RUNTIME_DIR", directory, TRUE);
  return g_environ_setenv (environment, "DATAHUB_SHM_DIR", shm, TRUE);
}

/* ---- how ---- */

/* Descriptors are closed before others are opened: the process may have no free one.
 * @lock can be any, and @log is none that is written here, or -1. */
static int
set_actions (posix_spawn_file_actions_t *actions, int lock, int log)
{
  int number = posix_spawn_file_actions_adddup2 (actions, lock, HELPER_LOCK);
  int last = log >= 0 ? STDERR_FILENO : HELPER_LOCK;

  if (number == 0 && log >= 0)
    number = posix_spawn_file_actions_adddup2 (actions, log, STDERR_FILENO);
  if (number == 0)
    number =
        posix_spawn_file_actions_addclosefrom_np (actions, HELPER_LOCK + 1);
  for (int fd = 0; number == 0 && fd < last; fd++)
    number =
        posix_spawn_file_actions_addopen (actions, fd, "/dev/null", O_RDWR, 0);
  if (number == 0)
    number = posix_spawn_file_actions_addchdir_np (actions, "/");
  return number;
}

static int
set_attributes (posix_spawnattr_t *attributes)
{
  sigset_t none, all;
  int number;

  sigemptyset (&none);
  sigfillset (&all);
  number = posix_spawnattr_setsigmask (attributes, &none);
  if (number == 0)
    number = posix_spawnattr_setsigdefault (attributes, &all);
  if (number == 0)
    number = posix_spawnattr_setflags (attributes,
        POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  return number;
}

/* The intermediate process. Its exit code is an errno. It may share memory with this
 * one, so it calls nothing but this. */
static int
launch (void *data)
{
  Launch *this = data;
  char *arguments[] = { (char *) HELPER_NAME, NULL };
  pid_t pid;

  return posix_spawn (&pid, this->program, &this->actions, &this->attributes,
      arguments, this->environment);
}

/* Returns an errno. Waits for exec(), not for the helper. A wait of the application for
 * all kinds of children can take the result: then the helper is taken as started. */
static int
run_intermediate (Launch *this, char *stack)
{
  int status = 0, number = 0;
  pid_t pid, ended;
  sigset_t all, before;

  /* a handler of the application must not run in the other process */
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  pid = clone (launch, stack + STACK_SIZE, INTERMEDIATE, this);
  if (pid < 0)
    number = errno;
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  if (pid < 0)
    return number;
  do
    ended = waitpid (pid, &status, __WALL);
  while (ended < 0 && errno == EINTR);
  if (ended != pid)
    return 0;
  return WIFEXITED (status) ? WEXITSTATUS (status) : EPERM;
}

static int
run_on_stack (Launch *this)
{
  char *stack = mmap (NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  int number;

  if (stack == MAP_FAILED)
    return errno;
  number = run_intermediate (this, stack);
  munmap (stack, STACK_SIZE);
  return number;
}

static int
run_with_actions (Launch *this, int lock, int log)
{
  int number = posix_spawn_file_actions_init (&this->actions);

  if (number != 0)
    return number;
  number = posix_spawnattr_init (&this->attributes);
  if (number == 0) {
    number = set_actions (&this->actions, lock, log);
    if (number == 0)
      number = set_attributes (&this->attributes);
    if (number == 0)
      number = run_on_stack (this);
    posix_spawnattr_destroy (&this->attributes);
  }
  posix_spawn_file_actions_destroy (&this->actions);
  return number;
}

/* An orphan would be the child of this process: the first one of a container, or one
 * that asked for orphans. */
static gboolean
adopts_orphans (void)
{
  int asked = 0;

  return getpid () == 1
      || (prctl (PR_GET_CHILD_SUBREAPER, &asked, 0, 0, 0) == 0 && asked);
}

/* ---- */

/* Whether the user wants the broker in a process of its own. */
gboolean
hub_helper_is_wanted (void)
{
  return g_strcmp0 (g_getenv ("DATAHUB_BROKER_HOST"), "process") != 0;
}

/* Starts the helper for the runtime @directory, which is locked by @lock, with @log as
 * its standard error; -1: none. The caller closes both. Returns FALSE if the system
 * refuses it; a helper that was started can still fail. */
gboolean
hub_helper_start (const char *directory, int lock, int log, GError **error)
{
  Launch this = { 0 };
  int number;

  if (adopts_orphans ())
    return message_refuse (error, DATAHUB_HUB_ERROR_FAILED,
        "this process would be its parent, because it adopts orphans");
  this.program = find_program (error);
  if (!this.program)
    return FALSE;
  this.environment = make_environment (directory);
  number = run_with_actions (&this, lock, log);
  if (number != 0)
    message_refuse (error, DATAHUB_HUB_ERROR_FAILED, "%s: %s", this.program,
        os_reason (number));
  g_free (this.program);
  g_strfreev (this.environment);
  return number == 0;
}
