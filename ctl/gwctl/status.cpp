// SPDX-License-Identifier: Apache-2.0
// status and version: the daemon's own state, from the most general to the particular.
#include <algorithm>
#include <cstdio>

#include "ctl/gwctl/answer.hpp"
#include "ctl/gwctl/client.hpp"
#include "ctl/gwctl/command.hpp"
#include "ctl/gwctl/object_view.hpp"
#include "ctl/gwctl/readiness.hpp"
#include "ctl/gwctl/text_table.hpp"
#include "userspace/base/version.hpp"

namespace penstock::gwctl {

namespace {

using nlohmann::json;

std::string number(const json& object, const char* name) {
    const std::string text = text_at(object, {name});
    return text.empty() ? "-" : text;
}

void print_processes(const json& status) {
    TextTable table({"PROCESS", "PID", "STATE", "RESTARTS", "GENERATION", "DETAIL"});
    for (const json& process : list_at(status, {"processes"})) {
        table.add({text_at(process, {"name"}), number(process, "pid"), text_at(process, {"state"}), number(process, "restarts"), number(process, "generation"), text_at(process, {"detail"})});
    }
    std::printf("\n%s", table.text().c_str());
}

void print_datapath(const json& datapath) {
    std::printf("\ndata path   %s (asked for: %s): %s\n", number(datapath, "in_use").c_str(), number(datapath, "wanted").c_str(), text_at(datapath, {"reason"}).c_str());
    TextTable table({"INTERFACE", "XDP", "TC", "REASON"});
    for (const json& one : list_at(datapath, {"interfaces"})) {
        table.add({text_at(one, {"name"}), text_at(one, {"attach"}), flag_at(one, {"tc"}, false) ? "yes" : "no", text_at(one, {"reason"})});
    }
    if (!table.empty()) {
        std::printf("%s", table.text().c_str());
    }
}

// The kernel ladder: each rung was tried.
void print_kernel(const json& rungs) {
    TextTable table({"KERNEL", "SINCE", "WORKS", "FOR", "DETAIL"});
    for (const json& rung : rungs) {
        table.add({text_at(rung, {"name"}), text_at(rung, {"since"}), flag_at(rung, {"works"}, false) ? "yes" : "no", text_at(rung, {"what"}), text_at(rung, {"detail"})});
    }
    if (!table.empty()) {
        std::printf("\n%s", table.text().c_str());
    }
}

// In a cluster with the nodes that share them out.
void print_addresses(const json& addresses, const json& shares) {
    const bool shared = shares.is_object();
    TextTable table(shared ? std::vector<std::string>{"ADDRESS", "INTERFACE", "STATE", "NODE", "SINCE", "DETAIL"} : std::vector<std::string>{"ADDRESS", "INTERFACE", "STATE", "DETAIL"});
    for (const json& one : addresses) {
        std::vector<std::string> row = {text_at(one, {"address"}), text_at(one, {"interface"}), text_at(one, {"state"})};
        if (shared) {
            row.insert(row.end(), {text_at(one, {"holder"}), text_at(one, {"since"})});
        }
        row.push_back(text_at(one, {"detail"}));
        table.add(std::move(row));
    }
    if (!table.empty()) {
        std::printf("\n%s", table.text().c_str());
    }
    TextTable nodes({"NODE", "STATE", "ADDRESSES"});
    for (const json& node : list_at(shares, {"nodes"})) {
        nodes.add({text_at(node, {"name"}), text_at(node, {"state"}), number(node, "addresses")});
    }
    if (!nodes.empty()) {
        std::printf("\n%s", nodes.text().c_str());
    }
}

void print_listeners(const json& listeners) {
    TextTable table({"LISTENER", "MODE", "WAY", "CONNECTIONS", "REQUESTS", "BYTES IN", "BYTES OUT"});
    for (const json& one : listeners) {
        table.add({text_at(one, {"name"}), text_at(one, {"mode"}), text_at(one, {"way"}), number(one, "connections"), number(one, "requests"), number(one, "bytes_in"), number(one, "bytes_out")});
    }
    if (!table.empty()) {
        std::printf("\n%s", table.text().c_str());
    }
}

// Who made the records of TLS connections so far, if there were any.
void print_tls(const json& worker) {
    const auto own = count_at(worker, {"tls_own_total"});
    const auto openssl = count_at(worker, {"tls_openssl_total"});
    if (own + openssl != 0) {
        std::printf("\nTLS records %s connections by us (of these the kernel wrote for %s, read for %s), %s by OpenSSL\n", number(worker, "tls_own_total").c_str(),
                    number(worker, "ktls_write_total").c_str(), number(worker, "ktls_read_total").c_str(), number(worker, "tls_openssl_total").c_str());
    }
}

// Those that have happened.
void print_counts(const char* heading, const json& list) {
    TextTable table({heading, "COUNT", "MEANS"});
    for (const json& one : list) {
        if (count_at(one, {"count"}) != 0) {
            table.add({text_at(one, {"name"}), number(one, "count"), text_at(one, {"text"})});
        }
    }
    if (!table.empty()) {
        std::printf("\n%s", table.text().c_str());
    }
}

// Since when the Lease of the writer can be neither read nor renewed, by the daemon's own errors; "" if it can.
std::string lease_lost_since(const json& status) {
    std::string since;
    for (const json& error : list_at(status, {"errors"})) {
        const std::string time = text_at(error, {"time"});
        if (!flag_at(error, {"solved"}, false) && text_at(error, {"message"}).starts_with("be or find the writer of statuses") && (since.empty() || time < since)) {
            since = time;
        }
    }
    return since;
}

std::string writer_of(const json& cluster, const std::string& lost_since) {
    const std::string writer = text_at(cluster, {"writer"});
    if (flag_at(cluster, {"is_writer"}, false)) {
        return writer + ", this daemon";
    }
    if (!lost_since.empty()) {
        return "nobody that is known of: the Lease" + (writer.empty() ? "" : ", last of " + writer + ",") + " can be neither read nor renewed since " + lost_since;
    }
    return writer.empty() ? "nobody yet" : writer + ", another daemon: this one follows";
}

std::uint64_t missing_kinds(const json& cluster) {
    const json& kinds = list_at(cluster, {"kinds"});
    return static_cast<std::uint64_t>(std::count_if(kinds.begin(), kinds.end(), [](const json& kind) { return flag_at(kind, {"missing"}, false); }));
}

// Without Gateways there is nothing to serve. Kinds of other channels and versions may be missing for good.
bool lacks_gateways(const json& status) {
    const json& kinds = list_at(status, {"cluster", "kinds"});
    return std::any_of(kinds.begin(), kinds.end(), [](const json& kind) { return text_at(kind, {"kind"}) == "Gateway" && flag_at(kind, {"missing"}, false); });
}

std::string state_of_kinds(const json& cluster) {
    if (!flag_at(cluster, {"ready"}, false)) {
        return "not every kind was listed yet";
    }
    const std::uint64_t missing = missing_kinds(cluster);
    return missing == 0 ? "every kind is followed" : "followed, but " + std::to_string(missing) + (missing == 1 ? " kind has no CRD" : " kinds have no CRD");
}

// Of a daemon that follows one: who writes, what is followed, and how much of what was heard meant work.
void print_cluster(const json& cluster, const std::string& lost_since) {
    std::printf("\ncluster     %s: %s\nwriter      %s\nevents      %s heard, %s mattered\nstatuses    %s written, %s waiting, %s conflicts\nrequests    %s sent, %s failed, %s throttled\n", number(cluster, "server").c_str(),
                state_of_kinds(cluster).c_str(),
                writer_of(cluster, lost_since).c_str(), number(cluster, "events").c_str(),
                number(cluster, "events_that_mattered").c_str(), number(cluster, "statuses_written").c_str(), number(cluster, "statuses_waiting").c_str(), number(cluster, "conflicts").c_str(),
                number(cluster, "requests").c_str(), number(cluster, "requests_failed").c_str(), number(cluster, "requests_throttled").c_str());
    TextTable table({"KIND", "VERSION", "STATE", "TROUBLE"});
    for (const json& kind : list_at(cluster, {"kinds"})) {
        const bool missing = flag_at(kind, {"missing"}, false);
        const std::string state = missing ? "missing: its CRD is not installed" : flag_at(kind, {"synced"}, false) ? "followed" : "not listed yet";
        table.add({text_at(kind, {"kind"}), or_else(text_at(kind, {"version"}), "-"), state, missing ? "" : text_at(kind, {"trouble"})});
    }
    if (!table.empty()) {
        std::printf("%s", table.text().c_str());
    }
}

void print_crd_hint(const json& status) {
    if (lacks_gateways(status)) {
        std::printf("hint: the Gateway API's CRDs are not installed: docs/reference/kubernetes.md says how to\n");
    }
}

// Which node has taken what, and the objects with which somebody is behind.
void print_nodes(const json& nodes) {
    TextTable table({"NODE", "REPORTS", "TAKEN", "REFUSED", "BEHIND"});
    for (const json& node : list_at(nodes, {"nodes"})) {
        table.add({text_at(node, {"name"}), flag_at(node, {"reports"}, false) ? "yes" : "no", number(node, "taken"), number(node, "refused"), number(node, "behind")});
    }
    if (flag_at(nodes, {"followed"}, false) && !table.empty()) {
        std::printf("\n%s", table.text().c_str());
    }
    TextTable open({"NOT EVERYWHERE", "GENERATION", "NODES", "WAITING FOR", "REFUSED BY", "NO NODE HAS"});
    for (const json& object : list_at(nodes, {"open"})) {
        std::string refused;
        for (const json& one : list_at(object, {"refused"})) {
            refused += (refused.empty() ? "" : "; ") + text_at(one, {"node"}) + ": " + text_at(one, {"message"});
        }
        open.add({text_at(object, {"object"}), number(object, "generation"), number(object, "nodes"), joined(list_at(object, {"behind"})), or_else(refused, "-"), joined(list_at(object, {"nowhere"}))});
    }
    if (!open.empty()) {
        std::printf("\n%s", open.text().c_str());
    }
}

void print_errors(const json& errors) {
    for (const json& error : errors) {
        if (flag_at(error, {"solved"}, false)) {
            continue;
        }
        std::printf("\nerror: %s\n", text_at(error, {"message"}).c_str());
        for (const char* part : {"caused_by", "hint"}) {
            if (const std::string text = text_at(error, {part}); !text.empty()) {
                std::printf("%s: %s\n", part == std::string("hint") ? "hint" : "caused by", text.c_str());
            }
        }
    }
}

int tell_ready(const std::string& why_not, const Arguments& arguments) {
    if (!arguments.output.empty()) {
        print_document({{"ready", why_not.empty()}, {"why_not", why_not}}, arguments.output);
    } else {
        std::printf("%s%s\n", why_not.empty() ? "ready" : "not ready: ", why_not.c_str());
    }
    return why_not.empty() ? kYes : kNo;
}

}  // namespace

Result<int> run_status(const Arguments& arguments) {
    PST_TRY_ASSIGN(const json status, Client(arguments.daemon_folder()).read("/v1/status"));
    if (arguments.ready) {
        return tell_ready(why_not_ready(status), arguments);
    }
    bool good = list_at(status, {"not_good"}).empty() && !lacks_gateways(status);
    for (const json& source : list_at(status, {"sources"})) {
        good &= text_at(source, {"state"}) == "ok";
    }
    for (const json& error : list_at(status, {"errors"})) {
        good &= flag_at(error, {"solved"}, false);
    }
    if (!arguments.output.empty()) {
        print_document(status, arguments.output);
        return good ? kYes : kNo;
    }
    const std::string lost_since = lease_lost_since(status);
    const json& generation = at(status, {"generation"});
    std::printf("penstockd %s, up %llu s, kernel %s\ngeneration  wanted %s, applied %s, served %s\n", number(status, "version").c_str(), static_cast<unsigned long long>(count_at(status, {"uptime_ms"}) / 1000),
                text_at(status, {"kernel", "release"}).c_str(), number(generation, "wanted").c_str(), number(generation, "applied").c_str(), number(generation, "taken").c_str());
    print_processes(status);
    print_datapath(at(status, {"datapath"}));
    print_kernel(list_at(status, {"kernel", "rungs"}));
    print_addresses(list_at(status, {"addresses"}), at(status, {"address_shares"}));
    print_listeners(list_at(status, {"listeners"}));
    print_tls(at(status, {"counters", "worker"}));
    print_counts("PACKETS", list_at(status, {"counters", "verdicts"}));
    print_counts("REFUSED BY THE WORKER", list_at(status, {"counters", "reasons"}));
    if (const json& cluster = at(status, {"cluster"}); cluster.is_object() && !cluster.empty()) {
        print_cluster(cluster, lost_since);
        print_crd_hint(status);
        print_nodes(at(cluster, {"nodes"}));
    }
    for (const json& source : list_at(status, {"sources"})) {
        const bool lost = text_at(source, {"kind"}) == "cluster" && !lost_since.empty();
        std::printf("\nsource      %s: %s, %s objects%s\n", text_at(source, {"name"}).c_str(), text_at(source, {"state"}).c_str(), number(source, "objects").c_str(),
                    lost ? (", as they were read: its API server is in trouble since " + lost_since).c_str() : "");
        std::fflush(stdout);
        print_diagnostics(list_at(source, {"diagnostics"}));
    }
    if (const std::string table = not_good_table(list_at(status, {"not_good"})); !table.empty()) {
        std::printf("\nnot good\n%s", table.c_str());
    }
    print_errors(list_at(status, {"errors"}));
    return good ? kYes : kNo;
}

Result<int> run_version(const Arguments& arguments) {
    const auto daemon = Client(arguments.daemon_folder()).read("/v1/version");
    if (!arguments.output.empty()) {
        print_document({{"gwctl", {{"version", kVersion}, {"commit", kCommit}}}, {"daemon", daemon.ok() ? *daemon : json(nullptr)}}, arguments.output);
        return kYes;
    }
    std::printf("gwctl      %s\n", build_text(kVersion, kCommit).c_str());
    std::fflush(stdout);
    if (daemon.ok()) {
        std::printf("penstockd  %s, control API %s, map layout %s\n", build_text(text_at(*daemon, {"version"}), text_at(*daemon, {"commit"})).c_str(),
                    list_at(*daemon, {"api"}).dump().c_str(), text_at(*daemon, {"abi"}).c_str());
    } else {
        std::fprintf(stderr, "note: no daemon's version: %s\n", daemon.error().sentence().c_str());
    }
    return kYes;
}

}  // namespace penstock::gwctl
