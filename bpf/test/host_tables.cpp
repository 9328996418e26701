// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "bpf/test/host_tables.hpp"

#include <cstdlib>
#include <cstring>
#include <string>

#include "bpf/test/host_target.hpp"

namespace penstock::bpf_test {

struct HostTables::Storage {
    pst_config config{};
    pst_filter filter{};
    std::vector<pst_service_word_t> services = std::vector<pst_service_word_t>(kServices);
    std::vector<pst_slot_line> slots = std::vector<pst_slot_line>(kSlotLines);
    std::vector<pst_backend> backends = std::vector<pst_backend>(kBackends);
    std::vector<pst_link> links = std::vector<pst_link>(kLinks);
    std::vector<pst_flow_line> flows = std::vector<pst_flow_line>(kFlowLines);
    std::vector<pst_return> returns = std::vector<pst_return>(kReturns);
    std::vector<pst_trial> trials = std::vector<pst_trial>(kTrials);
    std::vector<pst_trial_ref> trial_index = std::vector<pst_trial_ref>(kTrials);
    std::vector<pst_source> sources = std::vector<pst_source>(kSources);
    std::vector<pst_verdict_count> counts = std::vector<pst_verdict_count>(PST_VERDICT_COUNT);
    std::vector<pst_backend_count> backend_counts = std::vector<pst_backend_count>(kBackends);
    std::vector<pst_service_count> service_counts = std::vector<pst_service_count>(kServices);
    std::map<std::string, pst_vip> vips;
    std::map<std::uint32_t, std::uint32_t> link_of;
};

namespace {

std::string key_of(const pst_vip_key& key) { return {reinterpret_cast<const char*>(&key), sizeof(key)}; }

}  // namespace

HostTables::HostTables() : storage_(std::make_shared<Storage>()) {
    Storage& s = *storage_;
    view_.now = [this] { return now_ns; };
    view_.config = &s.config;
    view_.filter = &s.filter;
    view_.services = s.services, view_.slots = s.slots, view_.backends = s.backends, view_.links = s.links;
    view_.flows = s.flows, view_.returns = s.returns, view_.trials = s.trials, view_.trial_index = s.trial_index;
    view_.sources = s.sources, view_.counts = s.counts;
    view_.backend_counts = s.backend_counts, view_.service_counts = s.service_counts;
    view_.put_vip = [&s](const pst_vip_key& key, const pst_vip& vip) { s.vips[key_of(key)] = vip; };
    view_.put_link = [&s](std::uint32_t ifindex, std::uint32_t link) { s.link_of[ifindex] = link; };
    view_.config_changed = [] {};
    view_.find_vip = [&s](const pst_vip_key& key) {
        const auto found = s.vips.find(key_of(key));
        return found == s.vips.end() ? nullptr : &found->second;
    };
    view_.find_link = [&s](std::uint32_t ifindex) {
        const auto found = s.link_of.find(ifindex);
        return found == s.link_of.end() ? nullptr : &found->second;
    };
}

Outcome HostTables::run(pst_hook hook, std::uint32_t ifindex, const Bytes& frame) {
    // Two bytes in front: the IP header is then aligned as in a driver's buffer.
    const std::unique_ptr<void, decltype(&std::free)> buffer(std::malloc(frame.size() + 2), &std::free);
    __u8* start = static_cast<__u8*>(buffer.get()) + 2;
    if (!frame.empty()) { std::memcpy(start, frame.data(), frame.size()); }
    pst_env env{};
    env.target = &view_;
    env.now_ns = now_ns;
    env.ifindex = ifindex;
    env.hook = hook;
    pst_cursor cursor{start, start + frame.size()};
    pst_out out{};
    Outcome outcome;
    outcome.verdict = pst_l4(&env, &cursor, &out);
    outcome.bytes.assign(start, start + frame.size());
    if (pst_is_sent(outcome.verdict)) { outcome.ifindex = pst_out_ifindex(&out); }
    return outcome;
}

}  // namespace penstock::bpf_test
