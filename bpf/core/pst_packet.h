/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A packet taken apart: Ethernet, IPv4 or IPv6, TCP or UDP. Nothing is changed and no table is read. What it cannot vouch for (options,
 * extension headers, fragments) it leaves to the kernel by a verdict. */
#ifndef PST_PACKET_H
#define PST_PACKET_H

#include "bpf/abi/pst_verdicts.h"
#include "bpf/core/pst_base.h"
#include "bpf/core/pst_cursor.h"
#include "bpf/core/pst_headers.h"

/* "No verdict yet": the next stage decides. */
#define PST_GO_ON PST_VERDICT_COUNT

struct pst_packet {
	struct pst_eth *eth; /* the other headers lie at fixed distances from it, see below */
	struct pst_tuple tuple;
	__u32 length; /* of the frame, as the IP header has it */
	__u32 body;   /* of what follows the IP header */
	__u8 ttl;
	__u8 tcp_flags; /* 0 for UDP */
	__u8 fragment;
	__u8 options;
	__u8 is_icmp; /* an error, and tuple is what it quotes, read backwards */
	__u8 is_tcp;  /* a number beside the pointers: the verifier does not take a pointer for its own null check */
};

/* Options and extension headers never get past the parser, so places are constants. Each holds once its parser went on: pst_ip4_of() if
 * !tuple.v6, pst_tcp_of() if is_tcp. One pointer is kept instead of five: the BPF stack is 512 bytes. */
pst_inline struct pst_ip4 *pst_ip4_of(const struct pst_packet *p)
{
	return (struct pst_ip4 *)(void *)(p->eth + 1);
}

pst_inline struct pst_ip6 *pst_ip6_of(const struct pst_packet *p)
{
	return (struct pst_ip6 *)(void *)(p->eth + 1);
}

pst_inline struct pst_tcp *pst_tcp_of(const struct pst_packet *p)
{
	return p->tuple.v6 ? (struct pst_tcp *)(void *)(pst_ip6_of(p) + 1) : (struct pst_tcp *)(void *)(pst_ip4_of(p) + 1);
}

pst_inline struct pst_udp *pst_udp_of(const struct pst_packet *p)
{
	return (struct pst_udp *)(void *)pst_tcp_of(p);
}

pst_inline void pst_v4_mapped(union pst_addr *a, __u32 be)
{
	a->word[0] = 0;
	a->word[1] = 0;
	a->word[2] = PST_BE32(0xffff);
	a->word[3] = be;
}

pst_inline void pst_copy_addr(union pst_addr *a, const __u32 *words)
{
	a->word[0] = words[0];
	a->word[1] = words[1];
	a->word[2] = words[2];
	a->word[3] = words[3];
}

pst_inline int pst_parse_ip4(struct pst_cursor *c, struct pst_packet *p)
{
	struct pst_ip4 *ip = (struct pst_ip4 *)(void *)pst_take(c, sizeof(struct pst_ip4));
	__u32 total;

	if (!ip)
		return PST_DROP_TRUNCATED;
	total = PST_BE16(ip->length);
	if (ip->version_ihl < 0x45 || ip->version_ihl > 0x4f || total < (ip->version_ihl & 15) * 4u)
		return PST_DROP_MALFORMED;
	p->tuple.v6 = 0;
	pst_v4_mapped(&p->tuple.src, ip->src);
	pst_v4_mapped(&p->tuple.dst, ip->dst);
	p->tuple.proto = ip->proto;
	p->length = total + (__u32)sizeof(struct pst_eth);
	p->body = total - (__u32)sizeof(*ip);
	p->ttl = ip->ttl;
	p->fragment = (ip->fragment & PST_BE16(0x3fff)) != 0;
	p->options = ip->version_ihl != 0x45;
	return PST_GO_ON;
}

pst_inline int pst_parse_ip6(struct pst_cursor *c, struct pst_packet *p)
{
	struct pst_ip6 *ip = (struct pst_ip6 *)(void *)pst_take(c, sizeof(struct pst_ip6));

	if (!ip)
		return PST_DROP_TRUNCATED;
	if ((ip->version_flow & PST_BE32(0xf0000000)) != PST_BE32(0x60000000))
		return PST_DROP_MALFORMED;
	pst_copy_addr(&p->tuple.src, ip->src);
	pst_copy_addr(&p->tuple.dst, ip->dst);
	p->tuple.v6 = 1;
	p->tuple.proto = ip->next;
	p->body = PST_BE16(ip->length);
	p->length = p->body + (__u32)(sizeof(*ip) + sizeof(struct pst_eth));
	p->ttl = ip->hop_limit;
	p->fragment = ip->next == 44;
	/* hop-by-hop, routing, AH, destination options, mobility, HIP, shim6 */
	p->options = ip->next == 0 || ip->next == 43 || ip->next == 51 || ip->next == 60 || ip->next == 135 ||
		     ip->next == 139 || ip->next == 140;
	return PST_GO_ON;
}

/* Up to the addresses: as far as the address filter needs it. */
pst_inline int pst_parse_ip(struct pst_cursor *c, struct pst_packet *p)
{
	struct pst_eth *eth = (struct pst_eth *)(void *)pst_take(c, sizeof(struct pst_eth));

	if (!eth)
		return PST_DROP_TRUNCATED;
	p->eth = eth;
	if (eth->type == PST_BE16(PST_ETH_IP4))
		return pst_parse_ip4(c, p);
	if (eth->type == PST_BE16(PST_ETH_IP6))
		return pst_parse_ip6(c, p);
	return PST_PASS_NOT_IP;
}

pst_inline int pst_parse_tcp(struct pst_cursor *c, struct pst_packet *p)
{
	struct pst_tcp *tcp = (struct pst_tcp *)(void *)pst_take(c, sizeof(struct pst_tcp));
	__u32 size;

	if (!tcp)
		return PST_DROP_TRUNCATED;
	size = (tcp->offset >> 4) * 4u;
	if (size < sizeof(*tcp) || size > p->body)
		return PST_DROP_MALFORMED;
	p->is_tcp = 1;
	p->tcp_flags = tcp->flags;
	p->tuple.sport_be = tcp->sport;
	p->tuple.dport_be = tcp->dport;
	return PST_GO_ON;
}

pst_inline int pst_parse_udp(struct pst_cursor *c, struct pst_packet *p)
{
	struct pst_udp *udp = (struct pst_udp *)(void *)pst_take(c, sizeof(struct pst_udp));

	if (!udp)
		return PST_DROP_TRUNCATED;
	if (p->body < sizeof(*udp) || PST_BE16(udp->length) < sizeof(*udp))
		return PST_DROP_MALFORMED;
	p->is_tcp = 0;
	p->tuple.sport_be = udp->sport;
	p->tuple.dport_be = udp->dport;
	return PST_GO_ON;
}

/* Ports. Only for packets to an address of ours. */
pst_inline int pst_parse_l4(struct pst_cursor *c, struct pst_packet *p)
{
	if (p->fragment)
		return PST_PASS_FRAGMENT;
	if (p->options)
		return PST_PASS_OPTIONS;
	if (p->tuple.proto == PST_PROTO_TCP)
		return pst_parse_tcp(c, p);
	if (p->tuple.proto == PST_PROTO_UDP)
		return pst_parse_udp(c, p);
	return PST_PASS_PROTOCOL;
}

#endif
