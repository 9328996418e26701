/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps of PST_MAPS as BPF maps, and the core's look-ups on them. */
#ifndef PST_MAPS_H
#define PST_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/core/pst_target.h"

#define PST_MAP_FLAGS_0 0
#define PST_MAP_FLAGS_1 BPF_F_MMAPABLE
#define PST_DEFINE_MAP(name, map_type, key_type, value_type, entries, mmap) \
	struct {                                                            \
		__uint(type, BPF_MAP_TYPE_##map_type);                      \
		__uint(max_entries, entries);                               \
		__uint(map_flags, PST_MAP_FLAGS_##mmap);                    \
		__type(key, key_type);                                      \
		__type(value, value_type);                                  \
	} name SEC(".maps");
PST_MAPS(PST_DEFINE_MAP)

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, PST_EVENTS_BYTES);
} pst_events SEC(".maps");

#define PST_LOOKUP(function, map, value_type)                                \
	pst_inline value_type *function(struct pst_env *env, __u32 index)    \
	{                                                                    \
		(void)env;                                                   \
		return bpf_map_lookup_elem(&map, &index);                    \
	}

PST_LOOKUP(pst_get_service, pst_services, pst_service_word_t)
PST_LOOKUP(pst_get_slots, pst_slots, const struct pst_slot_line)
PST_LOOKUP(pst_get_backend, pst_backends, const struct pst_backend)
PST_LOOKUP(pst_get_link, pst_links, const struct pst_link)
PST_LOOKUP(pst_find_link, pst_link_of, const __u32)
PST_LOOKUP(pst_get_flows, pst_flows, struct pst_flow_line)
PST_LOOKUP(pst_get_return, pst_returns, struct pst_return)
PST_LOOKUP(pst_get_trial, pst_trials, struct pst_trial)
PST_LOOKUP(pst_get_trial_ref, pst_trial_index, struct pst_trial_ref)
PST_LOOKUP(pst_get_source, pst_sources, struct pst_source)
PST_LOOKUP(pst_get_count, pst_counts, struct pst_verdict_count)
PST_LOOKUP(pst_get_backend_count, pst_backend_n, struct pst_backend_count)
PST_LOOKUP(pst_get_service_count, pst_service_n, struct pst_service_count)

pst_inline const struct pst_config *pst_get_config(struct pst_env *env)
{
	__u32 zero = 0;

	(void)env;
	return bpf_map_lookup_elem(&pst_config, &zero);
}

pst_inline const struct pst_filter *pst_get_filter(struct pst_env *env)
{
	__u32 zero = 0;

	(void)env;
	return bpf_map_lookup_elem(&pst_filter, &zero);
}

pst_inline const struct pst_vip *pst_find_vip(struct pst_env *env, const struct pst_vip_key *key)
{
	(void)env;
	return bpf_map_lookup_elem(&pst_vips, key);
}

#endif
