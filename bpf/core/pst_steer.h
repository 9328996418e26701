/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The backend of a new flow: a slot of the service's Maglev table, or the next that takes new flows. It writes nothing. */
#ifndef PST_STEER_H
#define PST_STEER_H

#include "bpf/core/pst_hash.h"
#include "bpf/core/pst_service.h"
#include "bpf/core/pst_target.h"

pst_inline __u32 pst_slot_backend(struct pst_env *env, __u32 slot)
{
	const struct pst_slot_line *line = pst_get_slots(env, slot / PST_SLOTS_PER_LINE);

	return line ? PST_READ(line->backend[slot % PST_SLOTS_PER_LINE]) : 0;
}

pst_inline int pst_takes_new(const struct pst_backend *b)
{
	return b && (PST_READ(b->flags) & (PST_BACKEND_READY | PST_BACKEND_NO_NEW)) == PST_BACKEND_READY;
}

/* The id, or 0: the table is empty, or none of the backends tried takes new flows. */
pst_inline __u32 pst_steer(struct pst_env *env, __u32 service, __u64 hash)
{
	pst_service_word_t *at = pst_get_service(env, service);
	pst_service_word_t word = at ? PST_READ(*at) : 0;
	__u32 size = pst_service_size(word);
	__u32 slot, round;

	if (!size)
		return 0;
	slot = pst_scale((__u32)(hash >> 32), size);
	PST_LOOPED
	for (round = 0; round < PST_STEER_TRIES; round++) {
		__u32 id = pst_slot_backend(env, pst_service_offset(word) + pst_slot_of_round(slot, round, size));

		if (id && pst_takes_new(pst_get_backend(env, id)))
			return id;
	}
	return 0;
}

#endif
