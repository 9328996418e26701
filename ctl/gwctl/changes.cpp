// SPDX-License-Identifier: Apache-2.0
// load, apply and delete: changes of what the daemon keeps beside its folder, or of a cluster.
#include <algorithm>
#include <cstdio>

#include "ctl/gwctl/answer.hpp"
#include "ctl/gwctl/client.hpp"
#include "ctl/gwctl/cluster_changes.hpp"
#include "ctl/gwctl/command.hpp"
#include "ctl/gwctl/documents.hpp"
#include "ctl/gwctl/manifests.hpp"
#include "ctl/gwctl/named.hpp"
#include "ctl/gwctl/place.hpp"
#include "ctl/kubeapi/url.hpp"
#include "ctl/model/decode.hpp"
#include "ctl/model/object.hpp"

namespace penstock::gwctl {

namespace {

using nlohmann::json;

void print_changed(const json& answer, bool dry_run) {
    for (const json& object : list_at(answer, {"changed"})) {
        const std::string ns = text_at(object, {"namespace"});
        std::printf("%s %s%s%s %s%s\n", text_at(object, {"kind"}).c_str(), ns.c_str(), ns.empty() ? "" : "/", text_at(object, {"name"}).c_str(), text_at(object, {"change"}).c_str(),
                    dry_run ? " (dry run)" : "");
    }
    std::fflush(stdout);
}

// What came of a change, and whether all is well.
int print_change(const json& answer, const Arguments& arguments) {
    const bool good = list_at(answer, {"not_good"}).empty() && list_at(answer, {"errors"}).empty();
    const bool late = arguments.wait_s != 0 && !arguments.is_dry_run() && !flag_at(answer, {"reached"}, true);
    if (!arguments.output.empty()) {
        print_document(answer, arguments.output);
        return good && !late ? kYes : kNo;
    }
    print_changed(answer, arguments.is_dry_run());
    print_diagnostics(list_at(answer, {"diagnostics"}));
    if (const std::string table = not_good_table(list_at(answer, {"not_good"})); !table.empty()) {
        std::fprintf(stderr, "not good:\n%s", table.c_str());
    }
    for (const json& error : list_at(answer, {"errors"})) {
        std::fprintf(stderr, "error: %s: %s\n", text_at(error, {"message"}).c_str(), text_at(error, {"caused_by"}).c_str());
    }
    if (late) {
        std::fprintf(stderr, "generation %s is not served yet\n", text_at(answer, {"generation"}).c_str());
    }
    return good && !late ? kYes : kNo;
}

Result<int> send(const Arguments& arguments, const std::string& path, json body) {
    body["dry_run"] = arguments.is_dry_run();
    body["wait_ms"] = arguments.wait_s * 1000;
    PST_TRY_ASSIGN(const Client::Reply reply, Client(arguments.daemon_folder()).post(path, body));
    if (reply.status != 200) {
        print_diagnostics(list_at(reply.body, {"diagnostics"}));
        return error_of(reply);
    }
    return print_change(reply.body, arguments);
}

// Those of a kind that were loaded: what a folder has is not the daemon's to delete.
Result<std::vector<std::string>> loaded_names(const Arguments& arguments, model::Kind kind, const std::string& ns) {
    const std::string where = model::info(kind).namespaced ? "&namespace=" + kubeapi::url_encoded(ns) : "";
    PST_TRY_ASSIGN(const json answer, Client(arguments.daemon_folder()).read("/v1/objects?kind=" + std::string(model::kind_name(kind)) + where));
    std::vector<std::string> out;
    for (const json& object : list_at(answer, {"items"})) {
        if (text_at(object, {"metadata", "annotations", "penstock.dev/source"}).starts_with("loaded: ")) {
            out.push_back(text_at(object, {"metadata", "name"}));
        }
    }
    return out;
}

}  // namespace

Result<int> run_load(const Arguments& arguments) {
    PST_TRY_ASSIGN(const auto manifests, read_manifests(arguments.files));
    json documents = json::array();
    for (const Manifest& manifest : manifests) {
        documents.push_back({{"name", manifest.name}, {"text", manifest.text}});
    }
    return send(arguments, "/v1/load", {{"documents", documents}, {"replace", arguments.replace}});
}

Result<int> run_apply(const Arguments& arguments) {
    if (where_of(arguments, true) == Where::cluster) {
        return apply_to_cluster(arguments);
    }
    if (!arguments.ns.empty()) {
        return Error{.code = Errc::invalid, .what = "-n is for a cluster: a daemon takes the namespaces that the manifests name", .hint = "name it in the manifests: metadata.namespace"};
    }
    return run_load(arguments);
}

Result<int> run_delete(const Arguments& arguments) {
    if (where_of(arguments, true) == Where::cluster) {
        return delete_from_cluster(arguments);
    }
    const std::string ns = arguments.ns.empty() ? "default" : arguments.ns;
    json objects = json::array();
    const auto add = [&](model::Kind kind, const std::string& place, const std::string& name) {
        objects.push_back({{"kind", model::kind_name(kind)}, {"namespace", model::info(kind).namespaced ? place : ""}, {"name", name}});
    };
    if (arguments.all) {
        PST_TRY_ASSIGN(const auto named, named_by(arguments.words, true));
        for (const Named& one : named) {
            PST_TRY_ASSIGN(const auto names, loaded_names(arguments, one.kind, ns));
            std::for_each(names.begin(), names.end(), [&](const std::string& name) { add(one.kind, ns, name); });
        }
        if (objects.empty()) {
            std::fprintf(stderr, "nothing found\n");
            return kYes;
        }
    } else if (!arguments.words.empty()) {
        PST_TRY_ASSIGN(const auto named, named_by(arguments.words, false));
        for (const Named& one : named) {
            add(one.kind, ns, one.name);
        }
    } else {
        PST_TRY_ASSIGN(const auto written, read_objects(arguments.files));
        for (const Written& one : written) {
            const auto kind = model::kind_of(one.api_version, one.kind);
            if (!kind) {
                return Error{.code = Errc::invalid, .what = one.origin + ": the daemon has no " + one.kind + " of " + one.api_version};
            }
            if (model::info(*kind).namespaced) {
                PST_TRY(check_namespace(one, arguments.ns));
            }
            add(*kind, one.ns.empty() ? ns : one.ns, one.name);
        }
    }
    return send(arguments, "/v1/delete", {{"objects", objects}});
}

}  // namespace penstock::gwctl
