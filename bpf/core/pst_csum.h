/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Incremental Internet checksums (RFC 1624). A difference is a ones' complement sum in a 64-bit word, not yet folded; it is the same
 * in either byte order as long as words are read as they stand in the packet. No packet is read here. */
#ifndef PST_CSUM_H
#define PST_CSUM_H

#include "bpf/core/pst_base.h"

/* `to` in the place of `from`, added to a difference. */
pst_inline __u64 pst_csum_swap(__u64 diff, __u32 from, __u32 to)
{
	return diff + (__u32)~from + to;
}

pst_inline __u64 pst_csum_swap16(__u64 diff, __u16 from, __u16 to)
{
	return diff + (__u16)~from + to;
}

pst_inline __u64 pst_csum_swap_addr(__u64 diff, const union pst_addr *from, const union pst_addr *to)
{
	diff = pst_csum_swap(diff, from->word[0], to->word[0]);
	diff = pst_csum_swap(diff, from->word[1], to->word[1]);
	diff = pst_csum_swap(diff, from->word[2], to->word[2]);
	return pst_csum_swap(diff, from->word[3], to->word[3]);
}

pst_inline __u32 pst_csum_fold32(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (__u32)sum;
}

pst_inline __u16 pst_csum_fold16(__u64 sum)
{
	__u32 x = pst_csum_fold32(sum);

	x = (x & 0xffff) + (x >> 16);
	x = (x & 0xffff) + (x >> 16);
	return (__u16)x;
}

pst_inline __u16 pst_csum_apply(__u16 check, __u64 diff)
{
	return (__u16)~pst_csum_fold16((__u64)(__u16)~check + pst_csum_fold32(diff));
}

/* UDP: 0 says "no checksum" and stays so; a sum that comes to 0 is written as 0xffff. */
pst_inline __u16 pst_csum_apply_udp(__u16 check, __u64 diff)
{
	__u16 sum;

	if (!check)
		return 0;
	sum = pst_csum_apply(check, diff);
	return sum ? sum : 0xffff;
}

#endif
