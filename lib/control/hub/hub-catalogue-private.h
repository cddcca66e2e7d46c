/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The blocks that the broker announced. */
#ifndef DATAHUB_HUB_CATALOGUE_PRIVATE_H
#define DATAHUB_HUB_CATALOGUE_PRIVATE_H

#include "hub-block-private.h"
#include "hub-loop-private.h"

typedef struct
{
  GHashTable *known; /* name -> Known */
  guint generation; /* one per connection */
  guint pages; /* of its list that came */
  GSource *settle_source;
} HubCatalogue;

void hub_catalogue_init (HubCatalogue *catalogue);
void hub_catalogue_clear (HubCatalogue *catalogue);
void hub_catalogue_connected (HubCore *core);
void hub_catalogue_add (HubCore *core, DatahubHubBlock *block);
void hub_catalogue_remove (HubCore *core, const char *name, const char *uuid,
    const char *reason);

#endif /* DATAHUB_HUB_CATALOGUE_PRIVATE_H */
