/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The 64-bit word of a service, and the order in which a flow tries the slots of its table. Pure arithmetic: no table is read here.
 * A word is read once, so a packet meets the old table or the new one, never a mix. */
#ifndef PST_SERVICE_H
#define PST_SERVICE_H

#include "bpf/abi/pst_abi.h"
#include "bpf/core/pst_base.h"

#define PST_TABLE_SIZE_MAX 0xffffffu

pst_inline pst_service_word_t pst_service_word(__u32 offset, __u32 size, __u8 generation)
{
	return (__u64)offset | (__u64)(size & PST_TABLE_SIZE_MAX) << 32 | (__u64)generation << 56;
}

pst_inline __u32 pst_service_offset(pst_service_word_t word)
{
	return (__u32)word;
}

pst_inline __u32 pst_service_size(pst_service_word_t word)
{
	return (__u32)(word >> 32) & PST_TABLE_SIZE_MAX;
}

pst_inline __u8 pst_service_generation(pst_service_word_t word)
{
	return (__u8)(word >> 56);
}

/* 0 <= result < size, by multiplication: cheaper than a remainder and as even. */
pst_inline __u32 pst_scale(__u32 hash, __u32 size)
{
	return (__u32)(((__u64)hash * size) >> 32);
}

/* The slot tried in round `round` by flows whose slot is `slot`: round 0 is the slot itself. */
pst_inline __u32 pst_slot_of_round(__u32 slot, __u32 round, __u32 size)
{
	__u64 x = ((__u64)slot << 8 | round) * 0x9e3779b97f4a7c15ULL;

	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ULL;
	return round ? pst_scale((__u32)(x >> 32), size) : slot;
}

#endif
