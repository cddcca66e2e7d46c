/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What clients may use of the broker; see account.c. */
#ifndef DATAHUB_ACCOUNT_PRIVATE_H
#define DATAHUB_ACCOUNT_PRIVATE_H

#include <glib.h>

/* What is there at once, and what comes in a second. */
typedef struct
{
  double burst, rate;
} Budget;

typedef struct
{
  Budget requests, bytes;
} AccountKind;

extern const AccountKind account_own, account_connection, account_key;

/* Of a connection, or of a key. It outlives the identities that a client uses. */
typedef struct
{
  const AccountKind *kind;
  double requests, bytes; /* that are left; fewer than none: a debt */
  gint64 since_us;
  guint n_clients, n_blocks; /* registered by its key */
} Account;

typedef struct
{
  GHashTable *table; /* GBytes -> Account, owned */
} Accounts;

void accounts_init (Accounts *accounts);
void accounts_clear (Accounts *accounts);
Account *accounts_get (Accounts *accounts, GBytes *id, const AccountKind *kind,
    gint64 now_us);
void accounts_tidy (Accounts *accounts, gint64 now_us);
gboolean account_take_request (Account *account, gsize size);
void account_charge (Account *account, gsize bytes);
gboolean account_is_in_debt (const Account *account);

#endif /* DATAHUB_ACCOUNT_PRIVATE_H */
