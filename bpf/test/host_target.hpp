// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The core's target on the host: tables are vectors, time is a number. One include per program: it defines the look-ups that the core
// asks for. It checks every index itself, so that a wrong one is a missing entry as in the kernel, and ASan sees the rest.
#pragma once

#include <cstring>
#include <functional>
#include <map>
#include <vector>

#include "bpf/test/host_tables.hpp"
#include "bpf/core/pst_target.h"
#include "bpf/core/pst_csum.h"

namespace penstock::bpf_test {

inline Tables& tables_of(pst_env* env) { return *static_cast<Tables*>(env->target); }

template <class T>
T* at(std::span<T> table, std::uint32_t index) {
    return index < table.size() ? &table[index] : nullptr;
}

}  // namespace penstock::bpf_test

#define PST_HOST_LOOKUP(function, type, table)                                               \
    pst_inline type* function(pst_env* env, __u32 index) {                                   \
        return penstock::bpf_test::at(penstock::bpf_test::tables_of(env).table, index);      \
    }
PST_HOST_LOOKUP(pst_get_service, pst_service_word_t, services)
PST_HOST_LOOKUP(pst_get_slots, const pst_slot_line, slots)
PST_HOST_LOOKUP(pst_get_backend, const pst_backend, backends)
PST_HOST_LOOKUP(pst_get_link, const pst_link, links)
PST_HOST_LOOKUP(pst_get_flows, pst_flow_line, flows)
PST_HOST_LOOKUP(pst_get_return, pst_return, returns)
PST_HOST_LOOKUP(pst_get_trial, pst_trial, trials)
PST_HOST_LOOKUP(pst_get_trial_ref, pst_trial_ref, trial_index)
PST_HOST_LOOKUP(pst_get_source, pst_source, sources)
PST_HOST_LOOKUP(pst_get_count, pst_verdict_count, counts)
PST_HOST_LOOKUP(pst_get_backend_count, pst_backend_count, backend_counts)
PST_HOST_LOOKUP(pst_get_service_count, pst_service_count, service_counts)
#undef PST_HOST_LOOKUP

pst_inline const pst_config* pst_get_config(pst_env* env) { return penstock::bpf_test::tables_of(env).config; }

pst_inline const pst_filter* pst_get_filter(pst_env* env) { return penstock::bpf_test::tables_of(env).filter; }

pst_inline const pst_vip* pst_find_vip(pst_env* env, const pst_vip_key* key) {
    return penstock::bpf_test::tables_of(env).find_vip(*key);
}

pst_inline const __u32* pst_find_link(pst_env* env, __u32 ifindex) {
    return penstock::bpf_test::tables_of(env).find_link(ifindex);
}

pst_inline void pst_fix_l4_check(pst_env*, __u16* check, __u32, __u64 addresses, __u64 ports, __u8 udp) {
    *check = udp ? pst_csum_apply_udp(*check, addresses + ports) : pst_csum_apply(*check, addresses + ports);
    if (penstock::bpf_test::g_while_rewriting) { penstock::bpf_test::g_while_rewriting(); }
}

#include "bpf/core/pst_l4.h"

pst_inline __u32 pst_run_steer(pst_env* env, __u32 service, __u64 hash) { return pst_steer(env, service, hash); }

pst_inline __u32 pst_run_trial_port(pst_env* env, __u64 flow_hash, __u32 backend, __u32 kind) {
    return pst_trial_port(env, flow_hash, backend, kind);
}

pst_inline __u64 pst_run_return_hash(pst_env* env, __u32 backend, __u32 nat_port, __u32 kind) {
    const pst_backend* b = pst_backend_of(env, backend);
    return b ? pst_return_hash(env, b, static_cast<__u16>(nat_port), kind) : 0;
}

pst_inline int pst_run_promote(pst_env* env, __u64 flow_hash, __u32 kind_life) { return pst_trial_promote(env, flow_hash, kind_life); }

pst_inline int pst_run_touch_return(pst_env* env, __u32 backend, __u32 nat_port, __u32 kind_life, __u64 hop) {
    return pst_return_touch(env, backend, nat_port, kind_life, hop);
}

pst_inline void pst_run_touch_flow(pst_env* env, __u64 return_hash, __u32 kind_life) {
    pst_return_touch_flow(env, return_hash, kind_life);
}

pst_inline void pst_run_relive(pst_env* env, __u64 flow_hash, __u32 backend, __u32 nat_port, __u32 life) {
    pst_flow_relive(env, flow_hash, backend, nat_port, life);
}

pst_inline void pst_run_drop(pst_env* env, __u64 flow_hash) { pst_flow_drop(env, flow_hash); }
