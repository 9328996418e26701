/* SPDX-License-Identifier: Apache-2.0 */
/* The load of bench/xdp, and its floor. pst_load_send is run as live frames on one end of a veth pair and sends each frame to the other;
 * pst_load_sink is attached to that first end and takes what comes back. The floor programs take the place of the program under test:
 * they let a frame go the same way, and do nothing else. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bench/xdp_rig/load.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PST_LOAD_ENDS_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct pst_load_end);
} pst_load_ends SEC(".maps");

struct pst_load pst_load;
__u64 pst_load_arrived; /* at the floor program */
__u64 pst_load_sunk;

/* Live frames come back as the last receiver left them: only their bounds are reset. So the whole of the frame is written each time. */
SEC("xdp.frags")
int pst_load_send(struct xdp_md *ctx)
{
	__u8 *at = (__u8 *)(long)ctx->data, *end = (__u8 *)(long)ctx->data_end;
	__u32 port_at = pst_load.port_at & 63, i, next = pst_load.next;
	const struct pst_load_end *from;
	__u8 *port = at + port_at;

	if (at + PST_LOAD_FRAME > end || port + 2 > end)
		return XDP_ABORTED;
#pragma clang loop unroll(full)
	for (i = 0; i < PST_LOAD_FRAME / 8; i++)
		((__u64 *)at)[i] = pst_load.frame[i];
	if (!pst_load.ends) {
		*(__u32 *)(at + PST_LOAD_ADDRESS_AT) ^= bpf_get_prandom_u32() & PST_LOAD_RANDOM_ADDRESSES;
		*(__u16 *)port = (__u16)bpf_get_prandom_u32();
		return XDP_TX;
	}
	from = bpf_map_lookup_elem(&pst_load_ends, &next);
	if (!from)
		return XDP_ABORTED;
	*(__u32 *)(at + PST_LOAD_ADDRESS_AT) = from->address_be;
	*(__u16 *)port = from->port_be;
	pst_load.next = next + 1 == pst_load.ends ? 0 : next + 1;
	return XDP_TX;
}

SEC("xdp.frags")
int pst_load_sink(struct xdp_md *ctx)
{
	(void)ctx;
	pst_load_sunk++;
	return XDP_DROP;
}

SEC("xdp.frags")
int pst_floor_tx(struct xdp_md *ctx)
{
	(void)ctx;
	pst_load_arrived++;
	return XDP_TX;
}

SEC("xdp.frags")
int pst_floor_redirect(struct xdp_md *ctx)
{
	(void)ctx;
	pst_load_arrived++;
	return (int)bpf_redirect(pst_load.redirect_to, 0);
}

SEC("xdp.frags")
int pst_floor_pass(struct xdp_md *ctx)
{
	(void)ctx;
	pst_load_arrived++;
	return XDP_PASS;
}
