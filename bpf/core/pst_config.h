/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The configuration as it is unless somebody asks for another. The keys stay zero: the caller fills them from the system's random
 * source, and abi_version too, last, when everything else is in place. */
#ifndef PST_CONFIG_H
#define PST_CONFIG_H

#include "bpf/abi/pst_abi.h"
#include "bpf/core/pst_base.h"

#define PST_TICKS(seconds) ((__u16)(((__u64)(seconds)*1000000000ULL) >> PST_TICK_SHIFT))

pst_inline void pst_config_defaults(struct pst_config *c)
{
	c->flow_mask = PST_FLOW_LINES_MAX - 1;
	c->return_mask = PST_RETURNS_MAX - 1;
	c->trial_mask = PST_TRIALS_MAX - 1;
	c->source_mask = PST_SOURCES_MAX - 1;
	c->nat_port_min = 12288;
	c->nat_port_max = 28671;
	c->trial_ms = 5000;
	c->trials_per_source = 2000;
	c->idle_ticks[PST_FLOW_TCP] = PST_TICKS(3600);
	c->idle_ticks[PST_FLOW_TCP_FIN_IN] = PST_TICKS(900);
	c->idle_ticks[PST_FLOW_TCP_FIN_OUT] = PST_TICKS(900);
	c->idle_ticks[PST_FLOW_TCP_CLOSED] = PST_TICKS(60);
	c->idle_ticks[PST_FLOW_TCP_RESET] = PST_TICKS(30);
	c->idle_ticks[PST_FLOW_UDP] = PST_TICKS(90);
	c->event_interval_ms = 100;
}

#endif
