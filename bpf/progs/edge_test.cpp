// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The packet table through the programs in the kernel, by BPF_PROG_RUN. Needs CAP_BPF and CAP_NET_ADMIN; skipped (77) without.
#define CATCH_CONFIG_RUNNER
#include "tools/test/catch.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "bpf/pst_edge.skel.h"
#include "bpf/test/packet_rows.hpp"
#include "bpf/test/runner.hpp"

using namespace penstock::bpf_test;

namespace {

std::uint64_t monotonic_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1000000000ULL + static_cast<std::uint64_t>(now.tv_nsec);
}

// The loaded programs, with their maps mapped into this process.
class Kernel {
public:
    Kernel() : skel_(pst_edge__open()) {
        if (skel_ == nullptr) { throw std::runtime_error("open"); }
        shrink();
        if (pst_edge__load(skel_) != 0) { throw std::runtime_error(std::string("load: ") + std::strerror(errno)); }
        map_tables();
    }
    ~Kernel() { pst_edge__destroy(skel_); }
    Kernel(const Kernel&) = delete;
    Kernel& operator=(const Kernel&) = delete;

    Tables& tables() { return view_; }
    pst_edge* skel() { return skel_; }

    Outcome run(pst_hook hook, const Bytes& original) {
        const std::vector<std::uint64_t> before = counts();
        Bytes frame = original;
        // In tc a frame must be addressed to the device, here loopback, or it is none of ours.
        const bool readdressed = hook == PST_HOOK_TC && frame.size() >= 6 && (frame[0] & 1) == 0;
        if (readdressed) { std::fill_n(frame.begin(), 6, std::uint8_t{0}); }
        Bytes out(frame.size() + 64);
        LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame.data(), .data_out = out.data(),
                    .data_size_in = static_cast<__u32>(frame.size()), .data_size_out = static_cast<__u32>(out.size()));
        const bpf_program* program = hook == PST_HOOK_XDP ? skel_->progs.pst_xdp : skel_->progs.pst_tc;
        REQUIRE(bpf_prog_test_run_opts(bpf_program__fd(program), &opts) == 0);
        out.resize(opts.data_size_out);
        if (readdressed && std::equal(out.begin(), out.begin() + 6, frame.begin())) { std::copy_n(original.begin(), 6, out.begin()); }
        Outcome outcome;
        outcome.bytes = out;
        outcome.verdict = what_counted(before);
        check_action(hook, outcome.verdict, opts.retval);
        return outcome;
    }

    std::vector<std::uint64_t> counts() const {
        const auto cpus = static_cast<std::size_t>(libbpf_num_possible_cpus());
        std::vector<pst_verdict_count> per_cpu(cpus);
        std::vector<std::uint64_t> sums;
        for (std::uint32_t verdict = 0; verdict < PST_VERDICT_COUNT; verdict++) {
            REQUIRE(bpf_map_lookup_elem(bpf_map__fd(skel_->maps.pst_counts), &verdict, per_cpu.data()) == 0);
            std::uint64_t sum = 0;
            for (const pst_verdict_count& n : per_cpu) { sum += n.packets; }
            sums.push_back(sum);
        }
        return sums;
    }

private:
    void shrink() {
        bpf_map__set_max_entries(skel_->maps.pst_flows, kFlowLines);
        bpf_map__set_max_entries(skel_->maps.pst_returns, kReturns);
        bpf_map__set_max_entries(skel_->maps.pst_trials, kTrials);
        bpf_map__set_max_entries(skel_->maps.pst_trial_index, kTrials);
        bpf_map__set_max_entries(skel_->maps.pst_sources, kSources);
        bpf_map__set_max_entries(skel_->maps.pst_services, kServices);
        bpf_map__set_max_entries(skel_->maps.pst_backends, kBackends);
        bpf_map__set_max_entries(skel_->maps.pst_slots, kSlotLines);
        bpf_map__set_max_entries(skel_->maps.pst_links, kLinks);
        bpf_map__set_max_entries(skel_->maps.pst_backend_n, kBackends);
        bpf_map__set_max_entries(skel_->maps.pst_service_n, kServices);
    }

    template <class T>
    std::span<T> mapped(const bpf_map* map, std::size_t count) {
        const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        const std::size_t size = (count * sizeof(T) + page - 1) / page * page;
        void* start = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
        if (start == MAP_FAILED) { throw std::runtime_error(std::string("mmap ") + bpf_map__name(map)); }
        return {static_cast<T*>(start), count};
    }

    void map_tables() {
        view_.now = monotonic_ns;
        view_.config = &config_;
        view_.filter = mapped<pst_filter>(skel_->maps.pst_filter, 1).data();
        view_.services = mapped<pst_service_word_t>(skel_->maps.pst_services, kServices);
        view_.slots = mapped<pst_slot_line>(skel_->maps.pst_slots, kSlotLines);
        view_.backends = mapped<pst_backend>(skel_->maps.pst_backends, kBackends);
        view_.links = mapped<pst_link>(skel_->maps.pst_links, kLinks);
        view_.flows = mapped<pst_flow_line>(skel_->maps.pst_flows, kFlowLines);
        view_.returns = mapped<pst_return>(skel_->maps.pst_returns, kReturns);
        view_.trials = mapped<pst_trial>(skel_->maps.pst_trials, kTrials);
        view_.trial_index = mapped<pst_trial_ref>(skel_->maps.pst_trial_index, kTrials);
        view_.sources = mapped<pst_source>(skel_->maps.pst_sources, kSources);
        view_.put_vip = [this](const pst_vip_key& key, const pst_vip& vip) { put(skel_->maps.pst_vips, &key, &vip); };
        view_.put_link = [this](std::uint32_t ifindex, std::uint32_t link) { put(skel_->maps.pst_link_of, &ifindex, &link); };
        view_.config_changed = [this] {
            const std::uint32_t zero = 0;
            put(skel_->maps.pst_config, &zero, &config_);
        };
    }

    static void put(const bpf_map* map, const void* key, const void* value) {
        REQUIRE(bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY) == 0);
    }

    int what_counted(const std::vector<std::uint64_t>& before) const {
        const std::vector<std::uint64_t> after = counts();
        int verdict = -1;
        for (std::size_t i = 0; i < after.size(); i++) {
            if (after[i] == before[i]) { continue; }
            CHECK(after[i] == before[i] + 1);
            CHECK(verdict == -1);
            verdict = static_cast<int>(i);
        }
        REQUIRE(verdict >= 0);
        return verdict;
    }

    static void check_action(pst_hook hook, int verdict, std::uint32_t action) {
        INFO(verdict_name(verdict));
        const bool drop = verdict_name(verdict).starts_with("DROP_");
        if (hook == PST_HOOK_XDP) {
            if (is_sent(verdict)) {
                CHECK((action == XDP_TX || action == XDP_REDIRECT));
            } else {
                CHECK(action == (drop ? XDP_DROP : XDP_PASS));
            }
        } else {
            CHECK(action == static_cast<std::uint32_t>(is_sent(verdict) ? TC_ACT_REDIRECT : drop ? TC_ACT_SHOT : TC_ACT_OK));
        }
    }

    pst_edge* skel_;
    pst_config config_{};
    Tables view_;
};

Kernel& kernel() {
    static Kernel loaded;
    return loaded;
}

struct Seen {
    std::vector<pst_event> events;
};

int on_event(void* seen, void* data, std::size_t size) {
    if (size < sizeof(pst_event)) { return 0; }
    static_cast<Seen*>(seen)->events.push_back(*static_cast<const pst_event*>(data));
    return 0;
}

}  // namespace

TEST_CASE("edge: every row of the packet table holds in the kernel, and every verdict has a row") {
    std::set<int> seen;
    for (const Row& row : packet_table()) {
        if (row.host_only) { continue; }
        check_row(row, kernel().tables(), [](pst_hook hook, std::uint32_t, const Bytes& frame) { return kernel().run(hook, frame); }, seen);
    }
    // A race cannot be staged in the kernel, and BPF_PROG_RUN refuses frames shorter than an Ethernet header.
    check_coverage(seen, {PST_DROP_RACE});
}

TEST_CASE("edge: a drop is shown with its first bytes, once in a while") {
    Seen seen;
    const std::unique_ptr<ring_buffer, decltype(&ring_buffer__free)> ring(
        ring_buffer__new(bpf_map__fd(kernel().skel()->maps.pst_events), on_event, &seen, nullptr), &ring_buffer__free);
    REQUIRE(ring != nullptr);
    ring_buffer__consume(ring.get());
    seen.events.clear();
    build_world(kernel().tables());
    kernel().tables().config->event_interval_ms = 1;
    kernel().tables().config_changed();
    usleep(3000);
    const Bytes frame = build(request(true, 81, kSyn));
    kernel().run(PST_HOOK_XDP, frame);
    ring_buffer__consume(ring.get());
    REQUIRE(seen.events.size() == 1);
    const pst_event& event = seen.events.front();
    CHECK(event.verdict == PST_DROP_NO_BACKEND);
    CHECK(event.hook == PST_HOOK_XDP);
    CHECK(event.ifindex == kUplink);
    CHECK(event.captured == frame.size());
    CHECK(std::memcmp(event.bytes, frame.data(), frame.size()) == 0);
    kernel().tables().config->event_interval_ms = 60000;
    kernel().tables().config_changed();
    kernel().run(PST_HOOK_XDP, frame);
    kernel().run(PST_HOOK_XDP, frame);
    ring_buffer__consume(ring.get());
    CHECK(seen.events.size() == 1);
}

int main(int argc, char** argv) {
    libbpf_set_print([](libbpf_print_level level, const char* format, va_list args) {
        return level == LIBBPF_WARN ? std::vfprintf(stderr, format, args) : 0;
    });
    const int probe = bpf_map_create(BPF_MAP_TYPE_ARRAY, "pst_probe", 4, 4, 1, nullptr);
    if (probe < 0 && errno == EPERM) {
        std::puts("skipped: no CAP_BPF");
        return 77;
    }
    close(probe);
    return Catch::Session().run(argc, argv);
}
