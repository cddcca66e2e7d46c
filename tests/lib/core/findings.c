/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "findings.h"

#include <string.h>

void
findings_note (const DatahubFinding *finding, void *user_data)
{
  Findings *found = user_data;
  CHECK_INT (finding->kind, <, DATAHUB_N_FINDINGS);
  CHECK_INT (finding->severity, <, DATAHUB_N_SEVERITIES);
  for (const char *c = finding->message; *c; c++)
    CHECK (*c >= ' ' && *c <= '~');
  found->n++;
  found->of_kind[finding->kind]++;
  found->last[finding->kind] = *finding;
}

Findings
findings_of (uint32_t flags)
{
  Findings found;
  memset (&found, 0, sizeof found);
  CHECK_OK (datahub_block_validate ("cam0", flags, findings_note, &found,
      &found.report, &err));
  return found;
}

static void
check_none (const Findings *found)
{
  for (int i = 0; i < DATAHUB_N_FINDINGS; i++)
    if (found->of_kind[i])
      check_fail (__FILE__, __LINE__, "%s: %s",
          datahub_finding_name ((DatahubFindingKind) i),
          found->last[i].message);
  for (int i = 0; i < DATAHUB_N_SEVERITIES; i++)
    CHECK_INT (found->report.n_found[i], ==, 0);
}

void
check_healthy (void)
{
  Findings found = findings_of (DATAHUB_VALIDATE_CHECKSUMS);
  check_none (&found);
}

void
check_found_in (const Findings *found, DatahubFindingKind kind,
    const char *words)
{
  if (found->of_kind[kind] == 0) {
    for (int i = 0; i < DATAHUB_N_FINDINGS; i++)
      if (found->of_kind[i])
        check_note ("found %s: %s",
            datahub_finding_name ((DatahubFindingKind) i),
            found->last[i].message);
    check_fail (__FILE__, __LINE__, "no %s was found",
        datahub_finding_name (kind));
  }
  CHECK_CONTAINS (found->last[kind].message, words);
}

void
check_found (DatahubFindingKind kind, const char *words)
{
  Findings found = findings_of (DATAHUB_VALIDATE_CHECKSUMS);
  check_found_in (&found, kind, words);
}

void *
section_of (Intrusion *ctl, uint32_t kind)
{
  BlockSection *sections = (BlockSection *) (ctl->bytes + sizeof (BlockHeader));
  for (uint32_t i = 0; i < SECTIONS_MAX; i++)
    if (sections[i].kind == kind)
      return ctl->bytes + sections[i].offset;
  check_fail (__FILE__, __LINE__, "no section %u", kind);
}

uint64_t *
ring_word_of (Intrusion *ctl, uint64_t sequence)
{
  uint64_t *ring = section_of (ctl, SECTION_RING);
  return &ring[sequence % ((BlockHeader *) ctl->bytes)->identity.ring_size];
}

BlockRecord *
record_at (Intrusion *ctl, uint64_t sequence)
{
  uint8_t *records = section_of (ctl, SECTION_RECORDS);
  return (BlockRecord *) (records
      + (size_t) RING_RECORD (*ring_word_of (ctl, sequence))
          * ((BlockHeader *) ctl->bytes)->identity.rec_stride);
}

ConsumerRow *
row_at (Intrusion *con, uint32_t row)
{
  static uint32_t stride;
  if (!stride) {
    Intrusion ctl = intrude (".ctl");
    stride = ((BlockHeader *) ctl.bytes)->identity.row_stride;
    intrusion_end (&ctl);
  }
  return (ConsumerRow *) (con->bytes + BLOCK_PAGE + (size_t) row * stride);
}
