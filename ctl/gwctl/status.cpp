// SPDX-License-Identifier: Apache-2.0
// status: the daemon's own state, from the most general to the particular.
#include <cstdio>

#include "ctl/gwctl/command.hpp"
#include "ctl/gwctl/text_table.hpp"

namespace penstock::gwctl {

namespace {

using nlohmann::json;

std::string number(const json& object, const char* name) { return object.contains(name) ? object[name].dump() : "-"; }

void print_processes(const json& status) {
    TextTable table({"PROCESS", "PID", "STATE", "RESTARTS", "GENERATION", "DETAIL"});
    for (const json& process : status["processes"]) {
        table.add({process.value("name", ""), number(process, "pid"), process.value("state", ""), number(process, "restarts"), number(process, "generation"), process.value("detail", "")});
    }
    std::printf("\n%s", table.text().c_str());
}

void print_datapath(const json& datapath) {
    std::printf("\ndata path   %s (asked for: %s): %s\n", datapath.value("in_use", "?").c_str(), datapath.value("wanted", "?").c_str(), datapath.value("reason", "").c_str());
    TextTable table({"INTERFACE", "XDP", "TC", "REASON"});
    for (const json& one : datapath["interfaces"]) {
        table.add({one.value("name", ""), one.value("attach", ""), one.value("tc", false) ? "yes" : "no", one.value("reason", "")});
    }
    if (!table.empty()) {
        std::printf("%s", table.text().c_str());
    }
}

void print_addresses(const json& addresses) {
    TextTable table({"ADDRESS", "INTERFACE", "STATE", "DETAIL"});
    for (const json& one : addresses) {
        table.add({one.value("address", ""), one.value("interface", ""), one.value("state", ""), one.value("detail", "")});
    }
    if (!table.empty()) {
        std::printf("\n%s", table.text().c_str());
    }
}

void print_listeners(const json& listeners) {
    TextTable table({"LISTENER", "MODE", "WAY", "CONNECTIONS", "REQUESTS", "BYTES IN", "BYTES OUT"});
    for (const json& one : listeners) {
        table.add({one.value("name", ""), one.value("mode", ""), one.value("way", ""), number(one, "connections"), number(one, "requests"), number(one, "bytes_in"), number(one, "bytes_out")});
    }
    if (!table.empty()) {
        std::printf("\n%s", table.text().c_str());
    }
}

// Those that have happened.
void print_counts(const char* heading, const json& list) {
    TextTable table({heading, "COUNT", "MEANS"});
    for (const json& one : list) {
        if (one.value("count", std::uint64_t{0}) != 0) {
            table.add({one.value("name", ""), number(one, "count"), one.value("text", "")});
        }
    }
    if (!table.empty()) {
        std::printf("\n%s", table.text().c_str());
    }
}

void print_errors(const json& errors) {
    for (const json& error : errors) {
        if (error.value("solved", false)) {
            continue;
        }
        std::printf("\nerror: %s\n", error.value("message", "").c_str());
        for (const char* part : {"caused_by", "hint"}) {
            if (const std::string text = error.value(part, ""); !text.empty()) {
                std::printf("%s: %s\n", part == std::string("hint") ? "hint" : "caused by", text.c_str());
            }
        }
    }
}

}  // namespace

Result<int> run_status(const Arguments& arguments) {
    PST_TRY_ASSIGN(const json status, Client(arguments.state_dir).read("/v1/status"));
    bool good = status["not_good"].empty();
    for (const json& source : status["sources"]) {
        good &= source.value("state", "ok") == "ok";
    }
    for (const json& error : status["errors"]) {
        good &= error.value("solved", false);
    }
    if (!arguments.output.empty()) {
        print_document(status, arguments.output);
        return good ? kYes : kNo;
    }
    const json& generation = status["generation"];
    std::printf("penstockd %s, up %lld s, kernel %s\ngeneration  wanted %s, applied %s, served %s\n", status.value("version", "?").c_str(), status.value("uptime_ms", 0LL) / 1000,
                status["kernel"].value("release", "?").c_str(), number(generation, "wanted").c_str(), number(generation, "applied").c_str(), number(generation, "taken").c_str());
    print_processes(status);
    print_datapath(status["datapath"]);
    print_addresses(status["addresses"]);
    print_listeners(status["listeners"]);
    print_counts("PACKETS", status["counters"]["verdicts"]);
    print_counts("REFUSED BY THE WORKER", status["counters"]["reasons"]);
    for (const json& source : status["sources"]) {
        std::printf("\nsource      %s: %s, %s objects\n", source.value("name", "").c_str(), source.value("state", "").c_str(), number(source, "objects").c_str());
        std::fflush(stdout);
        print_diagnostics(source["diagnostics"]);
    }
    if (const std::string table = not_good_table(status["not_good"]); !table.empty()) {
        std::printf("\nnot good\n%s", table.c_str());
    }
    print_errors(status["errors"]);
    return good ? kYes : kNo;
}

}  // namespace penstock::gwctl
