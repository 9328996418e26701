// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>

#include "userspace/base/version.hpp"

namespace penstock::daemon {

namespace {

// Words in the order in which they are told.
template <class Value>
using Words = std::vector<std::pair<std::string, Value>>;

const Words<DatapathWish> kDatapaths = {{"auto", DatapathWish::automatic}, {"xdp", DatapathWish::xdp}, {"userspace", DatapathWish::userspace}};
const Words<log::Level> kLevels = {{"debug", log::Level::debug}, {"info", log::Level::info}, {"warn", log::Level::warn}, {"error", log::Level::error}};

// CLI11's own transformer would print an enumeration of bytes as characters, NUL among them.
template <class Value>
CLI::Option* add_word(CLI::App& app, const std::string& name, Value& value, const Words<Value>& words, const std::string& text) {
    const auto set = [name, &value, &words](const std::string& given) {
        std::string known;
        for (const auto& [word, meaning] : words) {
            if (word == given) {
                value = meaning;
                return;
            }
            known += (known.empty() ? "" : ", ") + word;
        }
        throw CLI::ValidationError(name, fmt::format("{} is none of {}", given, known));
    };
    return app.add_option_function<std::string>(name, set, text);
}

std::optional<PortRange> parse_range(const std::string& text) {
    unsigned first = 0;
    unsigned last = 0;
    char rest = 0;
    if (std::sscanf(text.c_str(), "%5u-%5u%c", &first, &last, &rest) != 2 || first < 1024 || last > 65535 || first >= last) {
        return std::nullopt;
    }
    return PortRange{static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last)};
}

// The options that need more than a conversion: CLI11 reports what the function returns, "" is good.
void add_checked(CLI::App& app, Options& options) {
    app.add_option_function<std::vector<std::string>>(
           "--address",
           [&options](const std::vector<std::string>& texts) {
               for (const std::string& text : texts) {
                   const auto address = IpAddress::parse(text);
                   if (!address) {
                       throw CLI::ValidationError("--address", fmt::format("{} is not an IP address", text));
                   }
                   options.addresses.push_back(*address);
               }
           },
           "Address for Gateways that ask for none (repeatable; default: the node's own)")
        ->type_name("IP");
    app.add_option_function<std::string>(
           "--nat-ports",
           [&options](const std::string& text) {
               const auto range = parse_range(text);
               if (!range) {
                   throw CLI::ValidationError("--nat-ports", fmt::format("{} is not FIRST-LAST within 1024-65535", text));
               }
               options.nat_ports = *range;
           },
           "Source ports of NAT, outside net.ipv4.ip_local_port_range (default: 61000-65535)")
        ->type_name("FIRST-LAST");
    app.add_option_function<std::string>(
           "--metrics-address",
           [&options](const std::string& text) {
               options.metrics = Endpoint::parse(text);
               if (const auto end = text.find("]:"); !options.metrics && text.starts_with('[') && end != std::string::npos) {
                   options.metrics = Endpoint::parse(text.substr(1, end - 1) + text.substr(end + 1));  // who fills in a variable may not know its family
               }
               if (!options.metrics || options.metrics->port == 0) {
                   throw CLI::ValidationError("--metrics-address", fmt::format("{} is not ADDRESS:PORT", text));
               }
           },
           "Where the worker serves /metrics and /healthz, like 127.0.0.1:9650 (default: nowhere)")
        ->type_name("ADDRESS:PORT");
}

void add_plain(CLI::App& app, Options& options) {
    // "" would be what a unit's unset variable gives, and serve nothing without a word.
    const CLI::Validator named([](const std::string& text) { return std::string(text.empty() ? "the name is empty" : ""); }, "");
    app.add_option("--config", options.config, "Folder of manifests to serve and to watch (*.yaml, *.yml, *.json)")->check(named)->type_name("DIR");
    app.add_flag("--kubernetes", options.kubernetes, "Serve the Gateway API objects of a cluster: that of KUBECONFIG, of this pod or of ~/.kube/config");
    app.add_option_function<std::string>(
           "--kubeconfig",
           [&options](const std::string& file) {
               options.kubeconfig = file;
               options.kubernetes = true;
           },
           "The cluster's kubeconfig; means --kubernetes")
        ->check(named)
        ->type_name("FILE");
    app.add_option("--context", options.context, "Context of the kubeconfig (default: its current one)")->check(named)->type_name("NAME");
    app.add_option("--node-name", options.node, "This node's name in the cluster (default: the machine's)")->envname("NODE_NAME")->check(named)->type_name("NAME");
    app.add_option("--state-dir", options.state_dir, "Where sockets and state live")->capture_default_str()->type_name("DIR");
    app.add_option("--pin-dir", options.pin_dir, "Where BPF maps are pinned")->capture_default_str()->type_name("DIR");
    add_word(app, "--datapath", options.datapath, kDatapaths, "How TCP and UDP listeners are carried: auto, xdp or userspace")
        ->default_str("auto")
        ->type_name("KIND");
    app.add_option("--interface", options.interfaces, "Interface to attach to (repeatable; default: those that face clients)")->type_name("NAME");
    app.add_option("--announce", options.announce,
                   "Interface that Gateways' addresses are put on and announced at; auto: that of each address' network; off: none, and each node has all of them")
        ->check(named)
        ->capture_default_str()
        ->type_name("NAME");
    app.add_option("--workers", options.workers, "Threads of the worker (0: one per core)")->check(CLI::Range(0, 64))->type_name("N");
    app.add_option("--ring", options.ring, "How the worker does I/O")
        ->check(CLI::IsMember({"auto", "io_uring", "epoll"}))
        ->capture_default_str()
        ->type_name("KIND");
    app.add_option("--ktls", options.ktls, "Whether the kernel makes and reads TLS records where it can")
        ->check(CLI::IsMember({"off", "auto"}))
        ->capture_default_str()
        ->type_name("WISH");
    app.add_option("--worker-user", options.worker_user, "User that the worker runs as")->type_name("USER");
    app.add_option("--session-key", options.session_keys,
                   "File of 32 random bytes or more, the same on all nodes, for tokens of session persistence, or a folder of such files (repeatable: the first one "
                   "seals, all open; default, also for an empty folder: a key of this daemon's own)")
        ->type_name("FILE|DIR");
    app.add_option_function<unsigned>(
           "--resync-interval", [&options](unsigned seconds) { options.resync_interval = std::chrono::seconds(seconds); },
           "Seconds between reconciliations of everything that no event asks for (default: at random in 12 to 24 hours)")
        ->check(CLI::Range(1U, 86400U))
        ->type_name("N");
    app.add_option("--access-log", options.access_log, "File that the access log is appended to (default: standard output)")->type_name("FILE");
    app.add_flag("--hand-over", options.hand_over,
                 "Take over sockets and configuration from the Penstock that runs with this --state-dir and --hand-over, and let the next one do so");
    add_word(app, "--log-level", options.log_level, kLevels, "debug, info, warn or error")
        ->default_str("info")
        ->type_name("LEVEL");
    app.add_flag("--detach", options.detach, "Take programs, pinned maps and our addresses off this machine, then exit");
}

void add_limits(CLI::App& app, Options& options) {
    const auto bounded = [&app](const char* name, std::uint32_t& value, const char* text, std::uint32_t most) {
        app.add_option(name, value, text)->check(CLI::Range(1U, most))->capture_default_str()->type_name("N")->group("Limits");
    };
    bounded("--flows-max", options.flows_max, "Flows that the packet core remembers", 1U << 26);
    bounded("--vips-max", options.vips_max, "Addresses and ports in the packet core", 65536);
    bounded("--services-max", options.services_max, "L4 services in the packet core", 65535);
    bounded("--backends-max", options.backends_max, "Backends in the packet core", 1U << 20);
}

}  // namespace

std::variant<Options, Leave> parse_options(int argc, const char* const* argv) {
    Options options;
    CLI::App app("The Penstock daemon: serves Gateway API manifests on this machine.", "penstockd");
    app.set_version_flag("--version", "penstockd " + build_text(kVersion, kCommit));
    add_plain(app, options);
    add_checked(app, options);
    add_limits(app, options);
    // CLI11 speaks in exceptions; they end here.
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        return Leave{.exit_code = 0, .text = app.help()};
    } catch (const CLI::CallForVersion&) {
        return Leave{.exit_code = 0, .text = app.version() + "\n"};
    } catch (const CLI::ParseError& failure) {
        return Leave{.exit_code = 2, .text = fmt::format("error: {}\nhint: penstockd --help lists the options\n", failure.what())};
    }
    return options;
}

std::string_view name_of(DatapathWish wish) {
    switch (wish) {
        case DatapathWish::automatic: return "auto";
        case DatapathWish::xdp: return "xdp";
        case DatapathWish::userspace: break;
    }
    return "userspace";
}

}  // namespace penstock::daemon
