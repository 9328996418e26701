/* SPDX-License-Identifier: Apache-2.0 */
/* What the generator of bench/xdp is told. Every frame has the same length and is a template in which the source's address and one port are
 * written anew. */
#ifndef PST_LOAD_H
#define PST_LOAD_H

#include <linux/types.h>

#define PST_LOAD_FRAME 80
#define PST_LOAD_ENDS_MAX (1 << 19)
/* IPv4: the source address. IPv6: bits 32 to 63 of it, so that each address is of another /64. */
#define PST_LOAD_ADDRESS_AT 26
#define PST_LOAD_RANDOM_ADDRESSES 0xffff0100 /* bits of the address as it lies in memory: 2^17 addresses */

struct pst_load_end {
	__u32 address_be;
	__u16 port_be;
	__u16 zero;
};

struct pst_load {
	__u64 frame[PST_LOAD_FRAME / 8];
	__u32 ends;        /* the first so many of pst_load_ends in turn; 0: random ones, without end */
	__u32 next;
	__u32 port_at;     /* where in the frame the port of pst_load_end is written */
	__u32 redirect_to; /* pst_floor_redirect: ifindex */
};

#endif
