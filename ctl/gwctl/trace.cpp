// SPDX-License-Identifier: Apache-2.0
// trace: a request on the tables that are served, or with -f on those that the files come to.
#include <cstdio>
#include <map>

#include "ctl/gwctl/answer.hpp"
#include "ctl/gwctl/client.hpp"
#include "ctl/gwctl/command.hpp"
#include "ctl/gwctl/offline.hpp"
#include "ctl/gwctl/trace_tables.hpp"
#include "userspace/base/base64.hpp"

namespace penstock::gwctl {

namespace {

using nlohmann::json;

Error nonsense() { return Error{.code = Errc::invalid, .what = "the daemon's tables are not in the form of its API", .hint = "gwctl and penstockd are of different versions"}; }

Result<std::string> bytes_of(const json& text) {
    const auto bytes = text.is_string() ? base64_decoded(text.get<std::string>()) : std::nullopt;
    return bytes ? Result<std::string>(*bytes) : nonsense();
}

Result<json> trace_served(const Arguments& arguments, const TraceRequest& request) {
    PST_TRY_ASSIGN(const json snapshot, Client(arguments.daemon_folder()).read("/v1/snapshot"));
    std::map<std::string, std::string> parts;
    for (const auto& [path, text] : at(snapshot, {"parts"}).items()) {
        PST_TRY_ASSIGN(parts[path], bytes_of(text));
    }
    TraceTables tables;
    PST_TRY_ASSIGN(tables.root, bytes_of(at(snapshot, {"root"})));
    tables.parts.insert(parts.begin(), parts.end());
    return trace(tables, request);
}

Result<json> trace_files(const Arguments& arguments, const TraceRequest& request) {
    PST_TRY_ASSIGN(const Offline offline, compile_files(arguments.files, arguments));
    TraceTables tables;
    tables.root = offline.compiled.snapshot.root != nullptr ? *offline.compiled.snapshot.root : "";
    for (const auto& [path, part] : offline.compiled.snapshot.parts) {
        tables.parts.emplace(path, *part->bytes);
    }
    return trace(tables, request);
}

}  // namespace

Result<int> run_trace(const Arguments& arguments) {
    const auto request = parse_trace_request(arguments.words);
    if (!request.ok()) {
        std::fprintf(stderr, "%s\n", request.error().report().c_str());
        return kUsage;
    }
    PST_TRY_ASSIGN(const json traced, arguments.files.empty() ? trace_served(arguments, *request) : trace_files(arguments, *request));
    if (arguments.output.empty()) {
        std::fputs(trace_text(traced).c_str(), stdout);
    } else {
        print_document(traced, arguments.output);
    }
    return is_served(traced) ? kYes : kNo;
}

}  // namespace penstock::gwctl
