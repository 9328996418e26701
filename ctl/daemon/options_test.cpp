// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/options.hpp"

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::daemon;

namespace {

std::variant<Options, Leave> parse(std::vector<const char*> words) {
    words.insert(words.begin(), "penstockd");
    return parse_options(static_cast<int>(words.size()), words.data());
}

}  // namespace

TEST_CASE("options: defaults") {
    const auto parsed = parse({});
    REQUIRE(std::holds_alternative<Options>(parsed));
    const Options& options = std::get<Options>(parsed);
    CHECK(options.config.empty());
    CHECK(options.state_dir == "/run/penstock");
    CHECK(options.datapath == DatapathWish::automatic);
    CHECK(options.nat_ports == PortRange{61000, 65535});
    CHECK_FALSE(options.hand_over);
    CHECK_FALSE(options.detach);
}

TEST_CASE("options: all of them") {
    const auto parsed = parse({"--config", "/etc/m", "--state-dir", "/tmp/s", "--pin-dir", "/sys/fs/bpf/x", "--datapath", "userspace", "--interface",
                               "eth0", "--interface", "eth1", "--workers", "3", "--ring", "epoll", "--ktls", "auto", "--address", "192.0.2.1", "--address",
                               "2001:db8::1", "--nat-ports", "20000-29999", "--flows-max", "1000", "--session-key", "/k/new", "--session-key", "/k/old", "--log-level", "debug",
                               "--access-log", "/var/log/access", "--metrics-address", "[::1]:9650", "--announce", "eth2", "--hand-over", "--detach"});
    REQUIRE(std::holds_alternative<Options>(parsed));
    const Options& options = std::get<Options>(parsed);
    CHECK(options.config == "/etc/m");
    CHECK(options.pin_dir == "/sys/fs/bpf/x");
    CHECK(options.datapath == DatapathWish::userspace);
    CHECK(options.interfaces == std::vector<std::string>{"eth0", "eth1"});
    CHECK(options.workers == 3);
    CHECK(options.announce == "eth2");
    CHECK_FALSE(shares_addresses(options));
    CHECK(options.ring == "epoll");
    CHECK(options.ktls == "auto");
    CHECK(options.session_keys == std::vector<std::string>{"/k/new", "/k/old"});
    REQUIRE(options.addresses.size() == 2);
    CHECK(options.addresses[1].text() == "2001:db8::1");
    CHECK(options.nat_ports == PortRange{20000, 29999});
    CHECK(options.flows_max == 1000);
    CHECK(options.log_level == log::Level::debug);
    REQUIRE(options.metrics);
    CHECK(options.metrics->text() == "[::1]:9650");
    CHECK(std::get<Options>(parse({"--config", "/etc/m", "--metrics-address", "[127.0.0.1]:9650"})).metrics->text() == "127.0.0.1:9650");
    CHECK(options.access_log == "/var/log/access");
    CHECK(options.hand_over);
    CHECK(options.detach);
}

TEST_CASE("options: help tells all of them, to the last") {
    const auto parsed = parse({"--help"});
    REQUIRE(std::holds_alternative<Leave>(parsed));
    const std::string& text = std::get<Leave>(parsed).text;
    CHECK(text.find('\0') == std::string::npos);
    for (const char* option : {"--config", "--datapath", "--interface", "--log-level", "--detach", "--nat-ports", "--backends-max"}) {
        CHECK(text.find(option) != std::string::npos);
    }
    const auto wrong = parse({"--datapath", "foo"});
    CHECK(std::get<Leave>(wrong).text.find("foo is none of auto, xdp, userspace") != std::string::npos);
    CHECK(std::get<Leave>(parse({"--config", ""})).text.find("the name is empty") != std::string::npos);
}

TEST_CASE("options: what is wrong is named and ends with 2, help and version with 0") {
    const std::vector<std::vector<const char*>> wrong = {
        {"--nat-ports", "1-2"},   {"--nat-ports", "3000-2000"}, {"--nat-ports", "2000-3000x"}, {"--address", "host"},   {"--datapath", "fast"},
        {"--ring", "uring"},      {"--ktls", "on"},             {"--workers", "65"},          {"--unknown"},                 {"stray"},              {"--vips-max", "0"},
        {"--metrics-address", "9650"}, {"--metrics-address", "127.0.0.1:0"}, {"--metrics-address", "[127.0.0.1"}, {"--metrics-address", "[]:9650"}, {"--metrics-address", "[127.0.0.]1:9650"}};
    for (const auto& words : wrong) {
        INFO(words.front());
        const auto parsed = parse(words);
        REQUIRE(std::holds_alternative<Leave>(parsed));
        CHECK(std::get<Leave>(parsed).exit_code == 2);
        CHECK(std::get<Leave>(parsed).text.starts_with("error: "));
    }
    CHECK(std::get<Leave>(parse({"--help"})).exit_code == 0);
    CHECK(std::get<Leave>(parse({"--version"})).text.starts_with("penstockd "));
}
