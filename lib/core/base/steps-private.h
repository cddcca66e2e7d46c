/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names for the places between two effects that other processes can see: a
 * store to shared memory, a kernel lock, a link, a wake. A process that is
 * killed at a step has done all effects above it and none below.
 * tests/stress/sweep.c kills and stops processes at every step. A new effect
 * must get a new step.
 *
 * In the installed library STEP() is empty; a test in tests/house checks the
 * object code. Only the library for the sweep calls a function. */
#ifndef DATAHUB_STEPS_PRIVATE_H
#define DATAHUB_STEPS_PRIVATE_H

/* Each is named after the effect before it. */
/* clang-format off */
#define STEPS_OF_THE_RING(step) \
  step (A1_CLAIMED) \
  step (A2_SCANNED) \
  step (A1_GIVEN_BACK) \
  step (A3_RETIRED) \
  step (T3_TOMBSTONE_FILLED) \
  step (T4_TOMBSTONE_STORED) \
  step (TAIL_STORED) \
  step (A10_FENCED) \
  step (A5_ROW_SCANNED) \
  step (RECLAIMED) \
  step (RECORD_BEGUN) \
  step (RECORD_FILLED) \
  step (BUFFER_NOTED) \
  step (A6_WORD_STORED) \
  step (A7_HEAD_STORED) \
  step (STICKY_STORED) \
  step (HEARTBEAT_STORED) \
  step (K1_CLOCK_BEGUN) \
  step (K1_CLOCK_FILLED) \
  step (K2_CLOCK_TURNED) \
  step (X1_ERROR_BEGUN) \
  step (X2_ERROR_COUNTED) \
  step (X2_ERROR_FILLED) \
  step (X3_ERROR_STORED) \
  step (A9_WAITERS_TAKEN) \
  step (A8_WAKE_STEPPED) \
  step (COMMIT_WOKE) \
  step (FLUSH_SEQ_STORED) \
  step (FLUSH_WAKE_STEPPED) \
  step (FLUSH_WOKE)

#define STEPS_OF_SLOTS(step) \
  step (F_SHARE_STORED) \
  step (SLOT_LENT) \
  step (SLOT_PACKED) \
  step (LOAN_ABORTED) \
  step (ABORT_ROOM_BUMPED) \
  step (SLOT_PUNCHED) \
  step (P1_GEN_COUNTED) \
  step (P1_PIECE_RESERVED) \
  step (P1_FILE_MADE) \
  step (P1_FILE_LINKED) \
  step (P1_ENTRY_FILLED) \
  step (P1_ENTRY_GEN_STORED) \
  step (P1_CHANGES_COUNTED) \
  step (P1_ROOM_BUMPED) \
  step (P2_ENTRY_FREED) \
  step (P2_CHANGES_COUNTED) \
  step (P2_FILE_UNLINKED) \
  step (P2_FILE_PUNCHED)

#define STEPS_OF_WAITING_FOR_ROOM(step) \
  step (W5_WANTED_STORED) \
  step (W5_BITS_STORED) \
  step (W5_ROOM_LOADED) \
  step (W5_SLEPT) \
  step (INTERRUPT_STORED) \
  step (INTERRUPT_ROOM_BUMPED) \
  step (EVICT_SWAPPED) \
  step (EVICT_COUNTED) \
  step (EVICT_TOLD)

#define STEPS_OF_ROWS(step) \
  step (REAP_LOCKED) \
  step (REAP_CLEANED) \
  step (REAP_UNLOCKED) \
  step (CLEAN_PINS_WORD) \
  step (CLEAN_GATE) \
  step (CLEAN_WAITER) \
  step (CLEAN_MAIL) \
  step (CLEAN_HINTS) \
  step (CLEAN_STATE) \
  step (ATTENTION_BUMPED) \
  step (ATTENTION_WOKE) \
  step (ATTENTION_ROOM_BUMPED)

#define STEPS_OF_A_PRODUCERS_LIFE(step) \
  step (CREATE_LOCK_FILE_MADE) \
  step (CREATE_BYTE_0_LOCKED) \
  step (CREATE_CONTROL_MAPPED) \
  step (CREATE_IDENTITY_WRITTEN) \
  step (CREATE_CONTROL_FILLED) \
  step (CREATE_READY) \
  step (PUBLISH_LCK_LINKED) \
  step (PUBLISH_CON_LINKED) \
  step (PUBLISH_CTL_LINKED) \
  step (PUBLISH_NAME_FREE) \
  step (PUBLISH_ENTRY_LINKED) \
  step (NAMES_LCK_LINKED) \
  step (NAMES_ENTRY_LINKED) \
  step (SUCCEED_ENTRY_UNLINKED) \
  step (SUCCEED_NEXT_STORED) \
  step (CLOSE_STATE_STORED) \
  step (CLOSE_WAKE_STEPPED) \
  step (CLOSE_WOKE) \
  step (CLOSE_WAITING_STORED) \
  step (CLOSE_LAGGARDS_LOOKED) \
  step (CLOSE_WAITING_TAKEN_BACK) \
  step (CLOSE_ENTRY_UNLINKED) \
  step (CLOSE_NAMES_DONE) \
  step (CLOSE_BYTE_0_FREE)

#define STEPS_OF_ADOPTION(step) \
  step (C0_BYTE_0_LOCKED) \
  step (C1_WORD_DROPPED) \
  step (C2_STICKY_STORED) \
  step (C3_TAIL_STORED) \
  step (C4_CLAIM_STORED) \
  step (C5_WAITING_CLEARED) \
  step (C6_NEWEST_FORGOTTEN) \
  step (C7_INCARNATION_STORED) \
  step (C8_WAKE_STEPPED) \
  step (C8_WOKE) \
  step (C9_CHANGES_COUNTED) \
  step (C9_STRAYS_UNLINKED) \
  step (C9_LCK_SIGNED) \
  step (C10_REAPED) \
  step (C10_ATTENTION_BUMPED) \
  step (C11_PUBLISHED)

#define STEPS_OF_NAMES(step) \
  step (UNLINK_SCK) \
  step (UNLINK_CTL) \
  step (UNLINK_CON) \
  step (UNLINK_POOL) \
  step (UNLINK_LCK) \
  step (TAKEOVER_ENTRY_OPENED) \
  step (TAKEOVER_LOCK_TRIED) \
  step (TAKEOVER_STATE_STORED) \
  step (TAKEOVER_WAKE_STEPPED) \
  step (TAKEOVER_WOKE) \
  step (TAKEOVER_ENTRY_UNLINKED) \
  step (TAKEOVER_UNLOCKED) \
  step (RECLAIM_OPENED) \
  step (RECLAIM_LOCK_TRIED) \
  step (RECLAIM_ENTRY_UNLINKED) \
  step (RECLAIM_UNLOCKED)

#define STEPS_OF_A_CONSUMERS_LIFE(step) \
  step (ATTACH_OPENED) \
  step (ROW_LOCKED) \
  step (ROW_INCARNATION_STORED) \
  step (ROW_CLAIM_STORED) \
  step (ROW_GATE_STORED) \
  step (ROW_FIELDS_STORED) \
  step (ROW_STATE_STORED) \
  step (ROWS_HWM_RAISED) \
  step (F5_SHARE_FOLLOWED) \
  step (B10_CLAIM_LOADED) \
  step (B11_GATE_STORED) \
  step (B12_JOIN_COUNTED) \
  step (B13_HEAD_LOADED) \
  step (JOIN_START_STORED) \
  step (JOIN_ACTIVE_STORED) \
  step (JOINED) \
  step (REJOIN_INCARNATION_STORED) \
  step (REQUEST_STORED) \
  step (REQUESTS_TAKEN) \
  step (LEAVE_GATE_OPEN) \
  step (LEAVE_WAITER_CLEARED) \
  step (LEAVE_NOTED) \
  step (LEAVE_STATE_STORED) \
  step (LEAVE_ROW_CLEAN) \
  step (LEAVE_ROW_FREE)

#define STEPS_OF_MAIL(step) \
  step (ROW_MAIL_EMPTIED) \
  step (ROW_EXTRA_OWNED) \
  step (MAIL_WORD_PUT) \
  step (EVENT_POSTED) \
  step (MAIL_WORD_COPIED) \
  step (EVENT_COPIED) \
  step (EVENT_TAKEN) \
  step (LIMITS_OPENED) \
  step (LIMITS_STORED)

#define STEPS_OF_READING(step) \
  step (B1_HEAD_LOADED) \
  step (B2_WORD_LOADED) \
  step (B3_PINNED) \
  step (B4_WORD_STANDS) \
  step (TOMBSTONE_MET) \
  step (RECORD_DESCRIBED) \
  step (LEASE_LENT) \
  step (CURSOR_STORED) \
  step (B5_GATE_MOVED) \
  step (RECORD_ACCOUNTED) \
  step (LATENCY_STORED) \
  step (B6_UNPINNED) \
  step (KICK_ROOM_BUMPED) \
  step (RESYNCED) \
  step (FLUSH_FOLLOWED) \
  step (B8_WAKE_LOADED) \
  step (B7_WAITER_SET) \
  step (READER_SLEPT) \
  step (B9_WAITER_CLEARED) \
  step (P3_POOL_MAPPED) \
  step (P3_POOL_DROPPED) \
  step (P3_POOLS_SEEN) \
  step (BEAT_STORED)

#define STEPS_OF_LOCKS(step) \
  step (LOCK_OWNER_STORED) \
  step (LOCK_OWNED) \
  step (LOCK_DEPTH_RAISED) \
  step (LOCK_RECLAIMED) \
  step (LOCK_CONTENDED_STORED) \
  step (LOCK_SLEPT) \
  step (UNLOCK_DEPTH_LOWERED) \
  step (UNLOCK_DEPTH_CLEARED) \
  step (UNLOCK_OWNER_CLEARED) \
  step (UNLOCK_CONTENDED_TAKEN) \
  step (UNLOCK_TURN_STEPPED) \
  step (REGISTRY_LOCKED) \
  step (REGISTRY_DIRTY_STORED) \
  step (REGISTRY_NAME_WORD) \
  step (REGISTRY_CLEAN_STORED) \
  step (REGISTRY_REPAIRED)

#define STEPS_OF_THE_ZONE(step) \
  step (ZONE_WORD_COPIED) \
  step (ZONE_BYTES_PUT) \
  step (ZONE_STEPPED)

#define STEPS_OF_REPAIRS(step) \
  step (REPAIR_LOCKED) \
  step (REPAIR_ROW_LOCKED) \
  step (REPAIR_ROW_UNLOCKED) \
  step (REPAIR_LOCK_ABANDONED) \
  step (REPAIR_BYTE_0_TRIED) \
  step (REPAIR_UNLOCKED) \
  step (RELEASE_ROW_TRIED) \
  step (RELEASE_PIN_CLEARED)

#define STEPS_OF_STRICT_BLOCKS(step) \
  step (STRICT_CONTROL_SEALED) \
  step (STRICT_ROW_MADE) \
  step (STRICT_ROW_INSTALLED) \
  step (STRICT_ROW_RETIRED) \
  step (SERVER_SOCKET_BOUND) \
  step (SERVER_OPEN) \
  step (SERVER_CONNECTION_ACCEPTED) \
  step (SERVER_ACCESS_SENT) \
  step (SERVER_POOL_SENT) \
  step (SERVER_CLOSED) \
  step (CLIENT_ASKED) \
  step (CLIENT_ANSWERED) \
  step (CLIENT_MAPPED) \
  step (CLIENT_POOL_TAKEN) \
  step (LOCK_ROW_BYTE_TAKEN) \
  step (CLIENT_LEFT)

#define STEPS(step) \
  STEPS_OF_THE_RING (step) \
  STEPS_OF_SLOTS (step) \
  STEPS_OF_WAITING_FOR_ROOM (step) \
  STEPS_OF_ROWS (step) \
  STEPS_OF_A_PRODUCERS_LIFE (step) \
  STEPS_OF_ADOPTION (step) \
  STEPS_OF_NAMES (step) \
  STEPS_OF_A_CONSUMERS_LIFE (step) \
  STEPS_OF_MAIL (step) \
  STEPS_OF_READING (step) \
  STEPS_OF_LOCKS (step) \
  STEPS_OF_THE_ZONE (step) \
  STEPS_OF_STRICT_BLOCKS (step) \
  STEPS_OF_REPAIRS (step)
/* clang-format on */

#ifdef DATAHUB_STEPS
#define STEP_NUMBER(name) STEP_##name,
typedef enum
{
  STEPS (STEP_NUMBER) N_STEPS
} Step;

/* The test's. Any thread; may end or stop the process. */
void step_reached (Step step);
#define STEP(name) step_reached (STEP_##name)
#else
#define STEP(name) ((void) 0)
#endif

#endif /* DATAHUB_STEPS_PRIVATE_H */
