/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Headers as they stand on the wire. Fields are in network order. A frame lies so that its IP header is aligned to 4 bytes, or the
 * machine does not care: no header is packed, so that a field is one load. */
#ifndef PST_HEADERS_H
#define PST_HEADERS_H

#include "bpf/core/pst_base.h"

#define PST_ETH_IP4 0x0800
#define PST_ETH_IP6 0x86dd

#define PST_PROTO_ICMP 1
#define PST_PROTO_TCP 6
#define PST_PROTO_UDP 17
#define PST_PROTO_ICMP6 58

#define PST_TCP_FIN 0x01
#define PST_TCP_SYN 0x02
#define PST_TCP_RST 0x04
#define PST_TCP_ACK 0x10

struct pst_eth {
	__u8 dmac[6];
	__u8 smac[6];
	__u16 type;
};

struct pst_ip4 {
	__u8 version_ihl;
	__u8 tos;
	__u16 length;
	__u16 id;
	__u16 fragment; /* 0x3fff: offset or more to come */
	__u8 ttl;
	__u8 proto;
	__u16 check;
	__u32 src;
	__u32 dst;
};

struct pst_ip6 {
	__u32 version_flow;
	__u16 length; /* of what follows this header */
	__u8 next;
	__u8 hop_limit;
	__u32 src[4];
	__u32 dst[4];
};

struct pst_tcp {
	__u16 sport;
	__u16 dport;
	__u32 seq;
	__u32 ack;
	__u8 offset; /* upper half: header in words */
	__u8 flags;
	__u16 window;
	__u16 check;
	__u16 urgent;
};

struct pst_udp {
	__u16 sport;
	__u16 dport;
	__u16 length;
	__u16 check;
};

struct pst_icmp {
	__u8 type;
	__u8 code;
	__u16 check;
	__u32 rest;
};

#endif
