/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef DATAHUB_H
#define DATAHUB_H

#include <datahub/core.h>

#endif /* DATAHUB_H */
