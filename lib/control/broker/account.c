/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Budgets of requests and of bytes that the broker sends for them. A connection has an
 * account, and by the door of strangers a key too, whatever identities it uses: a new
 * "hello" brings no new budget, and for a key no new connection does. An account that is
 * as full as a new one is forgotten, so the number of accounts is limited by the
 * connections of the last seconds.
 * Tests: broker-fair, broker-hostile */
#include "control/wire/control-log-private.h"
#include "account-private.h"

#define MIB (1024.0 * 1024.0)
/* A request costs one more for each such piece. */
#define PIECE 4096
/* A message costs so many bytes besides its own. */
#define MESSAGE_COST 256

const AccountKind account_own = { { 2000, 500 }, { 32 * MIB, 16 * MIB } };
const AccountKind account_connection = { { 2000, 500 }, { 8 * MIB, 4 * MIB } };
/* With several connections it has no more than with two. */
const AccountKind account_key = { { 4000, 1000 }, { 8 * MIB, 4 * MIB } };

void
accounts_init (Accounts *accounts)
{
  accounts->table = g_hash_table_new_full (g_bytes_hash, g_bytes_equal,
      (GDestroyNotify) g_bytes_unref, g_free);
}

void
accounts_clear (Accounts *accounts)
{
  g_clear_pointer (&accounts->table, g_hash_table_unref);
}

static void
earn (Account *account, gint64 now_us)
{
  double seconds = (double) (now_us - account->since_us) / G_USEC_PER_SEC;
  const AccountKind *kind = account->kind;

  account->since_us = now_us;
  account->requests = MIN (account->requests + seconds * kind->requests.rate,
      kind->requests.burst);
  account->bytes =
      MIN (account->bytes + seconds * kind->bytes.rate, kind->bytes.burst);
}

/* The account of @id, with what it has earned until now; it is valid until the next
 * accounts_tidy(). */
Account *
accounts_get (Accounts *accounts, GBytes *id, const AccountKind *kind,
    gint64 now_us)
{
  Account *account = g_hash_table_lookup (accounts->table, id);

  if (!account) {
    account = g_new0 (Account, 1);
    account->kind = kind;
    account->requests = kind->requests.burst;
    account->bytes = kind->bytes.burst;
    account->since_us = now_us;
    g_hash_table_insert (accounts->table, g_bytes_ref (id), account);
  }
  earn (account, now_us);
  return account;
}

static gboolean
is_as_new (gpointer id, gpointer value, gpointer now_us)
{
  Account *account = value;

  earn (account, *(const gint64 *) now_us);
  return account->n_clients == 0 && account->n_blocks == 0
      && account->requests >= account->kind->requests.burst
      && account->bytes >= account->kind->bytes.burst;
}

/* Forgets accounts that have as much as new ones. */
void
accounts_tidy (Accounts *accounts, gint64 now_us)
{
  g_hash_table_foreach_remove (accounts->table, is_as_new, &now_us);
}

/* Pays for a request of @size bytes. Returns FALSE if the account has less. */
gboolean
account_take_request (Account *account, gsize size)
{
  if (account->requests < 1.0)
    return FALSE;
  account->requests -= 1.0 + (double) (size / PIECE);
  return TRUE;
}

/* Pays for a message to one receiver. It can become a debt, because a notice goes to all
 * its receivers or to none. */
void
account_charge (Account *account, gsize bytes)
{
  account->bytes -= (double) (bytes + MESSAGE_COST);
}

gboolean
account_is_in_debt (const Account *account)
{
  return account->bytes < 0;
}
