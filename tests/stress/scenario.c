/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scenario.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

DatahubError scenario_error;

void
scenario_must (DatahubResult result, DatahubResult wanted, const char *file,
    int line)
{
  if (result != wanted)
    check_fail (file, line, "%s (%s), wanted %s", datahub_result_name (result),
        scenario_error.message, datahub_result_name (wanted));
}

DatahubProducerOptions
scenario_options (uint64_t epoch)
{
  DatahubProducerOptions options = random_records_options (epoch);
  options.slots = 32;
  options.max_consumers = MAX_CONSUMERS;
  options.max_bytes = 16 << 20;
  options.zone_size = ZONE_SIZE + ZONE_REST;
  return options;
}

/* Created, with caps, and published. */
DatahubProducer *
scenario_new_producer (uint64_t epoch)
{
  DatahubProducerOptions options = scenario_options (epoch);
  DatahubProducer *producer = NULL;
  options.block_timeout_ns = BLOCK_TIMEOUT_NS;
  MUST (datahub_producer_create (CHANNEL, &options, &producer,
      &scenario_error));
  MUST (random_records_send_caps (producer, epoch, 0, &scenario_error));
  MUST (datahub_producer_publish (producer, &scenario_error));
  return producer;
}

bool
scenario_attach (RecordReader *reader, bool reliable, Random *random)
{
  DatahubConsumerOptions options;
  DatahubConsumer *consumer = NULL;
  datahub_consumer_options_init (&options);
  options.reliable = reliable;
  options.start = DATAHUB_START_OLDEST;
  DatahubResult result =
      datahub_consumer_attach (CHANNEL, &options, &consumer, &scenario_error);
  /* At the server of a strict block somebody may stand still. */
  if (result == DATAHUB_ERROR_NOT_FOUND || result == DATAHUB_TIMEOUT)
    return false;
  MUST (result);
  *reader = (RecordReader){ .consumer = consumer,
    .reliable = reliable,
    .adopts = true,
    .joined_reliably = reliable,
    .random = random };
  return true;
}

void
scenario_detach (RecordReader *reader)
{
  if (!reader->consumer)
    return;
  random_records_check_counts (reader);
  random_records_release_all (reader);
  datahub_consumer_close (reader->consumer);
  reader->consumer = NULL;
}

/* Keeps no lease, so that who waits for this process's consumers waits for
 * their reading alone. */
DatahubResult
scenario_read_all (RecordReader *reader)
{
  DatahubResult result;
  /* The next read then asks the kernel whether the producer lives. */
  datahub_consumer_wait (reader->consumer, 0);
  while ((result = random_records_read (reader, 0)) == DATAHUB_OK)
    random_records_release_all (reader);
  /* a death is told once */
  return result == DATAHUB_TIMEOUT && reader->orphaned ? DATAHUB_PRODUCER_LOST
                                                       : result;
}

DatahubResult
scenario_commit (Board *board, DatahubProducer *producer, uint64_t epoch,
    uint32_t n, int64_t timeout_ns)
{
  uint64_t first = atomic_load (&board->committed);
  atomic_store (&board->attempted, first + n);
  DatahubResult result = random_records_send (producer, epoch, first, n,
      timeout_ns, &scenario_error);
  atomic_store (result == DATAHUB_OK ? &board->committed : &board->attempted,
      result == DATAHUB_OK ? first + n : first);
  return result;
}

uint64_t
scenario_sleeps (DatahubProducer *producer)
{
  DatahubProducerStats stats;
  datahub_producer_get_stats (producer, &stats);
  return stats.waits;
}

/* Every byte of version n of the zone is n. */
void
scenario_write_zone (Board *board, DatahubProducer *producer)
{
  uint8_t bytes[ZONE_SIZE];
  uint64_t version = atomic_load (&board->zone) + 1;
  memset (bytes, (int) version, sizeof bytes);
  MUST (datahub_producer_write_zone (producer, 0, bytes, sizeof bytes,
      &scenario_error));
  atomic_store (&board->zone, version);
}

/* As it was written last, or a write that was cut short. */
void
scenario_check_zone (const ScenarioRun *run)
{
  uint8_t bytes[ZONE_SIZE];
  uint64_t version, written = atomic_load (&run->board->zone);
  if (!run->live.consumer)
    return;
  MUST (datahub_consumer_read_zone (run->live.consumer, 0, bytes, sizeof bytes,
      &version, &scenario_error));
  CHECK_INT (version, >=, written);
  CHECK_INT (version, <=, written + 1);
  for (uint32_t i = 0; i < sizeof bytes; i++)
    CHECK_INT (bytes[i], ==, (uint8_t) version);
}

ScenarioRun *
scenario_of (const CheckParent *parent)
{
  return (ScenarioRun *) parent->data;
}

/* Which of the two victims this process is. */
static Victim *own_victim;

void
part_begins (CheckParent *parent)
{
  (void) parent;
  if (own_victim)
    steps_watch (own_victim->counts, &own_victim->trap);
}

void
part_ends (void)
{
  steps_ignore ();
}

uint64_t
part_asks (CheckParent *parent, uint64_t word)
{
  check_tell (parent->out, word);
  return check_hear (parent->in);
}

typedef struct
{
  ScenarioRun *run;
  Victim *victim;
  void (*part) (CheckParent *parent);
} Casting;

static void
play_part (CheckParent *parent)
{
  const Casting *casting = parent->data;
  CheckParent as = { parent->in, parent->out, casting->run };
  own_victim = casting->victim;
  casting->part (&as);
  part_ends ();
}

static void
start (ScenarioRun *run, Victim *victim, void (*part) (CheckParent *parent))
{
  Casting casting = { run, victim, part };
  victim->state = VICTIM_RUNS;
  victim->child = check_fork (play_part, &casting);
}

void
scenario_start_second (ScenarioRun *run, void (*part) (CheckParent *parent))
{
  start (run, &run->second, part);
}

static void
end_victim (Victim *victim, int status)
{
  bool killed = WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL
      && atomic_load (&victim->counts->sprung);
  if (!killed && status != 0)
    check_fail (__FILE__, __LINE__, "the victim ended with status 0x%x",
        (unsigned) status);
  victim->state = killed ? VICTIM_DEAD : VICTIM_DONE;
  close (victim->child.to);
  close (victim->child.from);
}

/* Takes a word of the victim if there is one. */
static void
listen_to (ScenarioRun *run, Victim *victim)
{
  uint64_t word;
  if (!check_has_word (victim->child.from)
      || read (victim->child.from, &word, sizeof word) != sizeof word)
    return;
  run->scenario->hear (run, victim, word);
}

static void
look_at (ScenarioRun *run, Victim *victim)
{
  int status;
  if (victim->state != VICTIM_RUNS)
    return;
  pid_t pid = waitpid (victim->child.pid, &status, WNOHANG | WUNTRACED);
  CHECK (pid >= 0);
  if (pid == 0)
    listen_to (run, victim);
  else if (WIFSTOPPED (status))
    victim->state = VICTIM_STANDS;
  else
    end_victim (victim, status);
}

/* For whoever has to find out why. */
static void
note_where_it_is (pid_t pid)
{
  static const char *const files[] = { "stat", "wchan", "syscall" };
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    char path[64], line[256];
    snprintf (path, sizeof path, "/proc/%d/%s", (int) pid, files[i]);
    FILE *file = fopen (path, "re");
    if (file && fgets (line, sizeof line, file))
      check_note ("%s: %s", path, line);
    if (file)
      fclose (file);
  }
}

void
scenario_attend (ScenarioRun *run, Victim *victim)
{
  uint64_t give_up =
      check_now_ns () + (uint64_t) check_scaled_ns (20 * CHECK_S);
  for (;;) {
    look_at (run, &run->victim);
    look_at (run, &run->second);
    if (victim->state != VICTIM_RUNS)
      return;
    if (check_now_ns () > give_up) {
      note_where_it_is (victim->child.pid);
      check_fail (__FILE__, __LINE__, "the victim never ends");
    }
    run->scenario->go_on (run);
  }
}

void
scenario_answer (Victim *victim)
{
  uint64_t word = 1;
  CHECK (write (victim->child.to, &word, sizeof word) == sizeof word
      || errno == EPIPE);
}

/* poll() passes over one that is closed. */
static struct pollfd
ear_for (const Victim *victim)
{
  bool talks = victim->state == VICTIM_RUNS;
  return (struct pollfd){ .fd = talks ? victim->child.from : -1,
    .events = POLLIN };
}

void
scenario_await_word (const ScenarioRun *run, int64_t ns)
{
  struct pollfd poll_fds[] = { ear_for (&run->victim), ear_for (&run->second) };
  ppoll (poll_fds, 2, &(struct timespec){ 0, ns }, NULL);
}

void
scenario_wait_for_death (CheckChild *child)
{
  struct pollfd poll_fd = { .fd = child->from, .events = POLLIN };
  CHECK (poll (&poll_fd, 1, (int) check_scaled_ns (20000)) == 1);
  check_kill (child);
}

static void
check_no_file (void)
{
  DIR *dir = opendir (datahub_shm_directory ());
  CHECK (dir != NULL);
  for (struct dirent *entry; (entry = readdir (dir));)
    if (entry->d_name[0] != '.')
      check_fail (__FILE__, __LINE__, "%s is left", entry->d_name);
  closedir (dir);
}

static void
refuse_damage (const DatahubFinding *finding, void *user_data)
{
  if (finding->severity == DATAHUB_SEVERITY_DAMAGE)
    check_fail (__FILE__, __LINE__, "%s: %s",
        datahub_finding_name (finding->kind), finding->message);
}

#define LOOKS 5

/* At whatever step a process stands, or has died, the memory is right by its own
 * rules: what it has left is no damage. */
static void
check_undamaged (void)
{
  DatahubIntegrityReport report;
  DatahubResult result = DATAHUB_TIMEOUT;
  /* the producer of a strict block shows it, unless it stands still or is dying;
   * it may be slow on a busy machine */
  for (int i = 0; i < LOOKS && result == DATAHUB_TIMEOUT; i++)
    result = datahub_block_validate (CHANNEL, DATAHUB_VALIDATE_CHECKSUMS,
        refuse_damage, NULL, &report, &scenario_error);
  if (result != DATAHUB_ERROR_NOT_FOUND && result != DATAHUB_TIMEOUT)
    MUST (result);
}

static Scenario
complete (const Scenario *scenario)
{
  const Scenario *like = scenario->like;
  Scenario full = *scenario;
  full.epoch = full.epoch ? full.epoch : like->epoch;
  full.prepare = full.prepare ? full.prepare : like->prepare;
  full.go_on = full.go_on ? full.go_on : like->go_on;
  full.hear = full.hear ? full.hear : like->hear;
  full.beside = full.beside ? full.beside : like->beside;
  full.after = full.after ? full.after : like->after;
  return full;
}

void
scenario_play (const Scenario *named, Board *board, const StepTrap *trap,
    SecondRole role, const StepTrap *trap_of_second)
{
  Scenario full = complete (named);
  const Scenario *scenario = &full;
  ScenarioRun run = { .scenario = scenario,
    .board = board,
    .victim = { .counts = &board->steps, .trap = *trap, .state = VICTIM_DONE },
    .second = { .counts = &board->steps_of_second,
        .trap = *trap_of_second,
        .state = VICTIM_DONE },
    .role = role,
    .random = { 1 } };
  uint32_t fds = check_count_fds ();
  memset (board, 0, sizeof *board);
  scenario->prepare (&run);
  start (&run, &run.victim, scenario->part);
  scenario_attend (&run, &run.victim);
  check_undamaged ();
  if (run.victim.state == VICTIM_STANDS) {
    scenario->beside (&run);
    check_continue (&run.victim.child);
    run.victim.state = VICTIM_RUNS;
    scenario_attend (&run, &run.victim);
  }
  scenario->after (&run);
  check_no_file ();
  CHECK_INT (check_count_fds (), ==, fds);
}
