// SPDX-License-Identifier: Apache-2.0
// load and delete: changes of what the daemon keeps beside its folder.
#include <cstdio>

#include "ctl/gwctl/command.hpp"
#include "ctl/model/object.hpp"

namespace penstock::gwctl {

namespace {

using nlohmann::json;

// What came of a change, and whether all is well.
int print_change(const json& answer, const Arguments& arguments) {
    const bool good = answer["not_good"].empty() && answer.value("errors", json::array()).empty();
    const bool late = arguments.wait_s != 0 && !arguments.dry_run && !answer.value("reached", true);
    if (!arguments.output.empty()) {
        print_document(answer, arguments.output);
        return good && !late ? kYes : kNo;
    }
    for (const json& object : answer["changed"]) {
        const std::string ns = object.value("namespace", "");
        std::printf("%s %s%s%s %s%s\n", object.value("kind", "").c_str(), ns.c_str(), ns.empty() ? "" : "/", object.value("name", "").c_str(), object.value("change", "").c_str(),
                    arguments.dry_run ? " (dry run)" : "");
    }
    std::fflush(stdout);
    print_diagnostics(answer["diagnostics"]);
    if (const std::string table = not_good_table(answer["not_good"]); !table.empty()) {
        std::fprintf(stderr, "not good:\n%s", table.c_str());
    }
    for (const json& error : answer.value("errors", json::array())) {
        std::fprintf(stderr, "error: %s: %s\n", error.value("message", "").c_str(), error.value("caused_by", "").c_str());
    }
    if (late) {
        std::fprintf(stderr, "generation %s is not served yet\n", answer["generation"].dump().c_str());
    }
    return good && !late ? kYes : kNo;
}

Result<int> send(const Arguments& arguments, const std::string& path, json body) {
    body["dry_run"] = arguments.dry_run;
    body["wait_ms"] = arguments.wait_s * 1000;
    PST_TRY_ASSIGN(const Client::Reply reply, Client(arguments.state_dir).post(path, body));
    if (reply.status != 200) {
        print_diagnostics(reply.body.value("diagnostics", json::array()));
        return error_of(reply);
    }
    return print_change(reply.body, arguments);
}

}  // namespace

Result<int> run_load(const Arguments& arguments) {
    if (arguments.files.empty()) {
        return Error{.code = Errc::invalid, .what = "load needs -f FILE, DIR or -", .hint = "gwctl load -f manifests/ --wait"};
    }
    PST_TRY_ASSIGN(const auto manifests, read_manifests(arguments.files));
    json documents = json::array();
    for (const Manifest& manifest : manifests) {
        documents.push_back({{"name", manifest.name}, {"text", manifest.text}});
    }
    return send(arguments, "/v1/load", {{"documents", documents}, {"replace", arguments.replace}});
}

Result<int> run_delete(const Arguments& arguments) {
    const auto kind = arguments.words.size() == 2 ? model::kind_of_word(arguments.words[0]) : std::nullopt;
    if (!kind) {
        return Error{.code = Errc::invalid, .what = "delete takes KIND NAME", .hint = "gwctl delete httproute shop"};
    }
    const json object = {{"kind", model::kind_name(*kind)}, {"namespace", model::info(*kind).namespaced ? arguments.ns : ""}, {"name", arguments.words[1]}};
    return send(arguments, "/v1/delete", {{"objects", json::array({object})}});
}

}  // namespace penstock::gwctl
