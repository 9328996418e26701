/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Keyed hashes of addresses and tuples (SipHash-1-3), and the unkeyed one of the address filter. They allocate and look up nothing.
 * A tuple's IPv4 addresses are hashed as one word, so IPv4 costs 5 rounds and IPv6 8. */
#ifndef PST_HASH_H
#define PST_HASH_H

#include "bpf/abi/pst_abi.h"
#include "bpf/core/pst_base.h"

/* What a hash is for: equal tuples in different roles must not meet. */
enum pst_hash_role { PST_HASH_FLOW = 1, PST_HASH_RETURN = 2, PST_HASH_STEER = 3, PST_HASH_SOURCE = 4 };

struct pst_sip {
	__u64 v0, v1, v2, v3;
};

pst_inline __u64 pst_rotl(__u64 x, int bits)
{
	return (x << bits) | (x >> (64 - bits));
}

pst_inline void pst_sip_round(struct pst_sip *s)
{
	s->v0 += s->v1;
	s->v1 = pst_rotl(s->v1, 13) ^ s->v0;
	s->v0 = pst_rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = pst_rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = pst_rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = pst_rotl(s->v1, 17) ^ s->v2;
	s->v2 = pst_rotl(s->v2, 32);
}

pst_inline void pst_sip_word(struct pst_sip *s, __u64 word)
{
	s->v3 ^= word;
	pst_sip_round(s);
	s->v0 ^= word;
}

pst_inline struct pst_sip pst_sip_begin(const __u64 *key)
{
	struct pst_sip s;

	s.v0 = key[0] ^ 0x736f6d6570736575ULL;
	s.v1 = key[1] ^ 0x646f72616e646f6dULL;
	s.v2 = key[0] ^ 0x6c7967656e657261ULL;
	s.v3 = key[1] ^ 0x7465646279746573ULL;
	return s;
}

pst_inline __u64 pst_sip_end(struct pst_sip *s)
{
	s->v2 ^= 0xff;
	pst_sip_round(s);
	pst_sip_round(s);
	pst_sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

/* Who talks to whom, by reference: addresses stay where they are (a map, a packet's tuple), the hash reads them there. */
struct pst_ends {
	const union pst_addr *src;
	const union pst_addr *dst;
	__u16 sport_be;
	__u16 dport_be;
};

/* Set in every hash of ends: 0 and 1 mark a free entry and one that is being written, in all 64 bits as in the upper 48. No place in a
 * table is taken from this bit: lines and returns are indexed by the bits below 24, trials by 24 to 39, slots and ports by the upper 16 or
 * more. A bit of an index that is always set leaves half of the table empty. */
#define PST_HASH_MARK (1ULL << 40)

pst_inline __u64 pst_ends_hash(const __u64 *key, const struct pst_ends *e, __u8 proto, __u8 v6, enum pst_hash_role role)
{
	struct pst_sip s = pst_sip_begin(key);

	if (v6) {
		pst_sip_word(&s, e->src->pair[0]);
		pst_sip_word(&s, e->src->pair[1]);
		pst_sip_word(&s, e->dst->pair[0]);
		pst_sip_word(&s, e->dst->pair[1]);
	} else {
		pst_sip_word(&s, (__u64)e->src->word[3] << 32 | e->dst->word[3]);
	}
	pst_sip_word(&s, (__u64)e->sport_be << 48 | (__u64)e->dport_be << 32 | (__u64)proto << 16 | (__u64)v6 << 8 | (__u64)role);
	return pst_sip_end(&s) | PST_HASH_MARK;
}

pst_inline __u64 pst_tuple_hash(const __u64 *key, const struct pst_tuple *t, enum pst_hash_role role)
{
	struct pst_ends e = {&t->src, &t->dst, t->sport_be, t->dport_be};

	return pst_ends_hash(key, &e, t->proto, t->v6, role);
}

/* IPv6 sources count by /64: a single host has all of it. */
pst_inline __u64 pst_source_hash(const __u64 *key, const union pst_addr *source, __u8 v6)
{
	struct pst_sip s = pst_sip_begin(key);

	pst_sip_word(&s, v6 ? source->pair[0] : source->word[3]);
	pst_sip_word(&s, (__u64)v6 << 8 | PST_HASH_SOURCE);
	return pst_sip_end(&s);
}

/* Place of an address in pst_filter. Unkeyed: it hides nothing, and a collision costs one look-up. */
pst_inline __u32 pst_filter_slot(const union pst_addr *addr)
{
	__u32 x = addr->word[0] ^ addr->word[1] * 3u ^ addr->word[2] * 5u ^ addr->word[3];

	return (x * 2654435769u) >> 20;
}

PST_STATIC_ASSERT(1u << (32 - 20) == PST_FILTER_SIZE);

#endif
