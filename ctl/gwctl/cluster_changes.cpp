// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/cluster_changes.hpp"

#include <chrono>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "ctl/gwctl/analysis.hpp"
#include "ctl/gwctl/answer.hpp"
#include "ctl/gwctl/cluster.hpp"
#include "ctl/gwctl/documents.hpp"
#include "ctl/gwctl/named.hpp"
#include "ctl/gwctl/settling.hpp"
#include "ctl/model/decode.hpp"
#include "ctl/model/references.hpp"
#include "ctl/model/text_at.hpp"
#include "ctl/model/value_text.hpp"

namespace penstock::gwctl {

namespace {

using kubeapi::Resource;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr auto kBetweenLooks = std::chrono::milliseconds(200);

// One object of the order, and where it is on the server.
struct Target {
    Resource resource;
    std::string ns;
    std::string name;
    model::Value object;  // to be applied; null to be deleted

    [[nodiscard]] std::string path() const { return resource.path(ns, name); }
    [[nodiscard]] std::string where() const { return (resource.namespaced ? ns + "/" : "") + name; }
    [[nodiscard]] std::string text() const { return resource.kind + " " + where(); }
    [[nodiscard]] kubeapi::Act act(std::string verb) const { return {.verb = std::move(verb), .what = kubeapi::resource_name(resource), .where = where()}; }
};

json parsed(const std::string& body) {
    const auto value = model::parse_json(body);
    return value.ok() ? json(model::to_json(*value)) : json::object();
}

// Who else has set what: the causes of a conflict, one a line.
std::string conflicts_of(const json& answer) {
    std::string out;
    for (const json& cause : list_at(answer, {"details", "causes"})) {
        out += (out.empty() ? "" : "; ") + text_at(cause, {"field"}) + ": " + text_at(cause, {"message"});
    }
    return out;
}

// What a change altered that its author means: neither bookkeeping nor what controllers say.
json content_of(json object) {
    if (object.is_object()) {
        object.erase("status");
    }
    if (object.is_object() && object.contains("metadata") && object["metadata"].is_object()) {
        for (const char* member : {"managedFields", "resourceVersion", "generation"}) {
            object["metadata"].erase(member);
        }
    }
    return object;
}

class Change {
public:
    Change(Cluster& cluster, const Arguments& arguments) : cluster_(cluster), arguments_(arguments) {}

    Result<Target> target_of(const Written& written) {
        auto& known = resources_[{written.api_version, written.kind}];
        if (!known) {
            auto resource = cluster_.asking().resource(written.api_version, written.kind);
            if (!resource.ok()) {
                return std::move(resource).error().in(written.origin).in(cluster_.text());
            }
            known = std::move(*resource);
        }
        if (known->namespaced) {
            PST_TRY(check_namespace(written, arguments_.ns));
        }
        Target target{.resource = *known, .ns = known->namespaced ? (written.ns.empty() ? ns() : written.ns) : "", .name = written.name, .object = written.object};
        if (known->namespaced) {
            target.object = target.object.with("metadata", target.object.find("metadata")->with("namespace", model::Value::string(target.ns)));
        }
        return target;
    }
    [[nodiscard]] std::string ns() const { return arguments_.ns.empty() ? cluster_.ns() : arguments_.ns; }

    // What became of it: "created".
    Result<std::string> apply(const Target& target) {
        const auto before = cluster_.asking().answer({.path = target.path()}, target.act("get"));
        if (arguments_.dry_run == "client") {
            const Status there = exists(before, target);
            return there.ok() ? Result<std::string>("configured") : there.error().code == Errc::not_found ? Result<std::string>("created") : there.error();
        }
        const std::string query = std::string("?fieldManager=gwctl&fieldValidation=Strict") + (arguments_.force_conflicts ? "&force=true" : "") + (arguments_.is_dry_run() ? "&dryRun=All" : "");
        PST_TRY_ASSIGN(const kubeapi::Answer answer, cluster_.asking().answer({.method = "PATCH", .path = target.path() + query, .body = model::to_json_text(target.object, -1),
                                                                               .content_type = "application/apply-patch+yaml"}, target.act("patch")));
        const json after = parsed(answer.body);
        if (answer.status == 409 && !list_at(after, {"details", "causes"}).empty()) {
            return Error{.code = Errc::exists, .what = "apply " + target.text() + ": others have set fields that it sets: " + conflicts_of(after),
                         .hint = "--force-conflicts takes these fields over; else leave them out of the manifest"};
        }
        if (!answer.good()) {
            return kubeapi::refusal(answer, target.act("patch"));
        }
        const bool same = before.ok() && before->good() && content_of(parsed(before->body)) == content_of(after);
        return std::string(answer.status == 201 ? "created" : same ? "unchanged" : "configured");
    }

    Result<std::string> erase(const Target& target) {
        if (arguments_.dry_run == "client") {
            const Status there = exists(cluster_.asking().answer({.path = target.path()}, target.act("get")), target);
            const bool gone = !there.ok() && there.error().code == Errc::not_found;
            return there.ok() ? Result<std::string>("deleted") : gone && takes_absent() ? Result<std::string>("not there") : there.error();
        }
        const std::string query = std::string("?propagationPolicy=Background") + (arguments_.is_dry_run() ? "&dryRun=All" : "");
        PST_TRY_ASSIGN(const kubeapi::Answer answer, cluster_.asking().answer({.method = "DELETE", .path = target.path() + query}, target.act("delete")));
        if (answer.status == 404 && takes_absent()) {
            return std::string("not there");
        }
        if (answer.status == 404) {
            return absent(target);
        }
        return answer.good() ? Result<std::string>("deleted") : kubeapi::refusal(answer, target.act("delete"));
    }

    // Waits until what controllers say is of this generation, and tells what is not good. Objects that nobody speaks of are not waited for.
    bool settle(const Target& target, Clock::time_point deadline) {
        const auto kind = model::kind_of(target.resource.api_version, target.resource.kind);
        if (!kind || !must_have_status(*kind)) {
            return true;
        }
        if (const auto absent = absent_owner(target)) {
            std::fprintf(stderr, "%s: %s: there is no %s, so nobody says anything of it\n", target.text().c_str(), absent->path.c_str(), model::text_of(*absent).c_str());
            return false;
        }
        return wait_for(target, deadline, "nobody has said anything of this generation yet", [](const kubeapi::Answer& answer) -> std::optional<bool> {
            const std::optional<json> bad = not_good_of(parsed(answer.body));
            if (bad && !bad->empty()) {
                std::fprintf(stderr, "not good:\n%s", not_good_table(*bad).c_str());
            }
            return bad ? std::optional<bool>(bad->empty()) : std::nullopt;
        });
    }
    bool gone(const Target& target, Clock::time_point deadline) {
        return wait_for(target, deadline, "it is not gone yet", [](const kubeapi::Answer& answer) { return answer.status == 404 ? std::optional<bool>(true) : std::nullopt; });
    }

private:
    // With --all it went with another one, meanwhile.
    [[nodiscard]] bool takes_absent() const { return arguments_.ignore_not_found || arguments_.all; }
    static Error absent(const Target& target) { return {.code = Errc::not_found, .what = "there is no " + target.text(), .hint = "--ignore-not-found takes that as well"}; }
    // By the answer to a get; `not_found` if it is not there.
    static Status exists(const Result<kubeapi::Answer>& answer, const Target& target) {
        if (!answer.ok()) {
            return answer.error();
        }
        return answer->good() ? success() : answer->status == 404 ? Status(absent(target)) : Status(kubeapi::refusal(*answer, target.act("get")));
    }
    // The class or parent that it names and the server does not have: whose controller would speak of it.
    std::optional<model::Reference> absent_owner(const Target& target) {
        std::vector<model::Diagnostic> ignored;
        const model::ObjectPtr object = model::decode_object(target.object, "", ignored);
        for (const model::Reference& owner : object != nullptr ? owners_of(*object) : std::vector<model::Reference>()) {
            const auto kind = model::kind_of(owner);
            const auto resource = kind && must_have_status(*kind) ? cluster_.resource(*kind) : Result<Resource>(Error{});
            if (!resource.ok()) {
                continue;  // of others, or one that the server does not have
            }
            const Target wanted{.resource = *resource, .ns = owner.ns, .name = owner.name, .object = {}};
            const auto answer = cluster_.asking().answer({.path = wanted.path()}, wanted.act("get"));
            if (answer.ok() && answer->status == 404) {
                return owner;
            }
        }
        return std::nullopt;
    }
    // Looks until `verdict` has one. Who may not look is told so: waiting does not help him.
    template <class Verdict>
    bool wait_for(const Target& target, Clock::time_point deadline, const char* late, const Verdict& verdict) {
        for (;;) {
            const auto answer = cluster_.asking().answer({.path = target.path()}, target.act("get"));
            if (answer.ok() && (answer->status == 401 || answer->status == 403)) {
                std::fprintf(stderr, "%s\n", kubeapi::refusal(*answer, target.act("get")).report().c_str());
                return false;
            }
            if (const std::optional<bool> good = answer.ok() ? verdict(*answer) : std::nullopt) {
                return *good;
            }
            if (Clock::now() >= deadline) {
                std::fprintf(stderr, "%s: %s\n", target.text().c_str(), late);
                return false;
            }
            std::this_thread::sleep_for(kBetweenLooks);
        }
    }

    Cluster& cluster_;
    const Arguments& arguments_;
    std::map<std::pair<std::string, std::string>, std::optional<Resource>> resources_;
};

// Tells the outcome of each, and goes on after a failure: what could be done is done.
using Do = Result<std::string> (Change::*)(const Target&);
int carry_out(Change& change, Do what, const std::vector<Target>& targets, const Arguments& arguments) {
    std::size_t failed = 0;
    json outcomes = json::array();
    std::vector<const Target*> done;
    for (const Target& target : targets) {
        const auto outcome = (change.*what)(target);
        if (!outcome.ok()) {
            failed += 1;
            std::fprintf(stderr, "%s\n", outcome.error().report().c_str());
            continue;
        }
        done.push_back(&target);
        outcomes.push_back({{"kind", target.resource.kind}, {"namespace", target.ns}, {"name", target.name}, {"change", *outcome}});
        if (!arguments.as_document()) {
            std::printf("%s %s%s\n", target.text().c_str(), outcome->c_str(), arguments.is_dry_run() ? " (dry run)" : "");
            std::fflush(stdout);
        }
    }
    bool good = true;
    const auto deadline = Clock::now() + std::chrono::seconds(arguments.wait_s);
    for (const Target* target : arguments.wait_s == 0 || arguments.is_dry_run() ? std::vector<const Target*>() : done) {
        good &= what == &Change::apply ? change.settle(*target, deadline) : change.gone(*target, deadline);
    }
    if (arguments.as_document()) {
        print_document({{"changed", outcomes}, {"failed", failed}, {"dry_run", arguments.is_dry_run()}}, arguments.output);
    }
    return failed == targets.size() ? kFailed : failed == 0 && good ? kYes : kNo;
}

Result<std::unique_ptr<Cluster>> connect_to_change(const Arguments& arguments) {
    PST_TRY_ASSIGN(auto cluster, Cluster::connect(arguments));
    std::fprintf(stderr, "in %s\n", cluster->text().c_str());
    return cluster;
}

Result<std::vector<Target>> targets_of_files(Change& change, const Arguments& arguments) {
    PST_TRY_ASSIGN(const auto objects, read_objects(arguments.files));
    std::vector<Target> targets;
    for (const Written& written : objects) {
        PST_TRY_ASSIGN(Target target, change.target_of(written));
        targets.push_back(std::move(target));
    }
    return targets;
}

// What is there of a kind, to be deleted.
Status add_all(Cluster& cluster, const Resource& resource, const std::string& ns, std::vector<Target>& targets) {
    PST_TRY_ASSIGN(const auto found, cluster.asking().list(resource, resource.namespaced ? std::optional(ns) : std::nullopt, "", ""));
    for (const model::Value& one : found) {
        targets.push_back({.resource = resource, .ns = resource.namespaced ? ns : "", .name = model::text_at(one, {"metadata", "name"}), .object = {}});
    }
    return success();
}

}  // namespace

Result<int> apply_to_cluster(const Arguments& arguments) {
    PST_TRY_ASSIGN(const auto cluster, connect_to_change(arguments));
    Change change(*cluster, arguments);
    PST_TRY_ASSIGN(const auto targets, targets_of_files(change, arguments));
    return carry_out(change, &Change::apply, targets, arguments);
}

Result<int> delete_from_cluster(const Arguments& arguments) {
    PST_TRY_ASSIGN(const auto cluster, connect_to_change(arguments));
    Change change(*cluster, arguments);
    std::vector<Target> targets;
    if (arguments.words.empty()) {
        PST_TRY_ASSIGN(targets, targets_of_files(change, arguments));
    } else {
        PST_TRY_ASSIGN(const auto named, named_by(arguments.words, arguments.all));
        for (const Named& one : named) {
            PST_TRY_ASSIGN(const Resource resource, cluster->resource(one.kind));
            if (arguments.all) {
                PST_TRY(add_all(*cluster, resource, change.ns(), targets));
                continue;
            }
            targets.push_back({.resource = resource, .ns = resource.namespaced ? change.ns() : "", .name = one.name, .object = {}});
        }
    }
    if (arguments.all && targets.empty()) {
        std::fprintf(stderr, "nothing found\n");
        return kYes;
    }
    return carry_out(change, &Change::erase, targets, arguments);
}

}  // namespace penstock::gwctl
