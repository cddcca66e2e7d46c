/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A source and a sink that measure what is between them. */
#ifndef BENCH_ELEMENTS_H
#define BENCH_ELEMENTS_H

#include "bench-receiver.h"
#include "bench-sender.h"

#include <gst/gst.h>

/* What is passed must live as long as the element. */
GstElement *bench_source_new (BenchSender *sender);
GstElement *bench_sink_new (BenchReceiver *receiver);

#endif /* BENCH_ELEMENTS_H */
