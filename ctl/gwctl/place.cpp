// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/place.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "ctl/gwctl/answer.hpp"
#include "ctl/gwctl/client.hpp"
#include "ctl/gwctl/cluster.hpp"
#include "ctl/gwctl/offline.hpp"
#include "ctl/kubeapi/url.hpp"
#include "ctl/model/decode.hpp"
#include "ctl/model/selector.hpp"
#include "ctl/model/value_text.hpp"

namespace penstock::gwctl {

namespace {

using nlohmann::json;

constexpr auto kLookAgain = std::chrono::seconds(1);

json json_of(const model::Value& value) { return json(model::to_json(value)); }

// Of the control API or of a file; a selector of labels is ours to apply. It was checked with the command line.
bool selected(const json& object, const std::string& selector) {
    model::Labels labels;
    for (const auto& [name, value] : at(object, {"metadata", "labels"}).items()) {
        labels[name] = value.is_string() ? value.get<std::string>() : "";
    }
    const auto parsed = model::parse_selector(selector);
    return parsed.ok() && model::selects(*parsed, labels);
}

class DaemonPlace : public Place {
public:
    explicit DaemonPlace(const std::string& folder) : socket_(folder + "/control.sock"), client_(folder) {}

    [[nodiscard]] std::string text() const override { return "the daemon at " + socket_; }
    [[nodiscard]] std::optional<std::string> default_ns() const override { return "default"; }
    Result<json> objects(const Query& query) override {
        std::string path = "/v1/objects?kind=" + std::string(model::kind_name(query.kind));
        path += query.ns && model::info(query.kind).namespaced ? "&namespace=" + kubeapi::url_encoded(*query.ns) : "";
        path += query.name.empty() ? "" : "&name=" + kubeapi::url_encoded(query.name);
        PST_TRY_ASSIGN(const json answer, client_.read(path));
        json items = json::array();
        const json& found = list_at(answer, {"items"});
        std::copy_if(found.begin(), found.end(), std::back_inserter(items), [&](const json& one) { return selected(one, query.selector); });
        return items;
    }

private:
    std::string socket_;
    Client client_;
};

class ClusterPlace : public Place {
public:
    explicit ClusterPlace(std::unique_ptr<Cluster> cluster) : cluster_(std::move(cluster)) {}

    [[nodiscard]] std::string text() const override { return cluster_->text(); }
    [[nodiscard]] std::optional<std::string> default_ns() const override { return cluster_->ns(); }
    Result<json> objects(const Query& query) override {
        PST_TRY_ASSIGN(const kubeapi::Resource resource, cluster_->resource(query.kind));
        const bool few = query.usable && query.kind == model::Kind::secret;
        const std::string fields = !query.name.empty() ? "metadata.name=" + query.name : few ? kubeapi::kUsableSecrets : "";
        return listed(cluster_->asking().list(resource, query.ns, query.selector, fields));
    }
    // Asked for once as get asks, for its errors; the watch goes on through what passes by itself.
    Status watch(const Query& query, const std::function<bool(Seen)>& tell) override {
        PST_TRY_ASSIGN(const json found, objects(query));
        Seen all{.all = true, .objects = {}};
        std::transform(found.begin(), found.end(), std::back_inserter(all.objects), [](const json& one) { return std::pair(one, false); });
        PST_TRY_ASSIGN(const kubeapi::Resource resource, cluster_->resource(query.kind));
        if (tell(std::move(all))) {
            cluster_->watch(resource, query.ns, selectors_of(query), [&](const kubeapi::Batch& batch) {
                Seen seen{.all = batch.all, .objects = {}};
                std::transform(batch.changes.begin(), batch.changes.end(), std::back_inserter(seen.objects), [](const auto& one) { return std::pair(json_of(one.object), one.gone); });
                return tell(std::move(seen));
            });
        }
        return success();
    }
    Result<json> events(const json& object) override {
        const std::string ns = text_at(object, {"metadata", "namespace"});
        const kubeapi::Resource resource{.api_version = "v1", .kind = "Event", .plural = "events", .namespaced = true};
        return listed(cluster_->asking().list(resource, ns.empty() ? "default" : ns, "",
                                              "involvedObject.kind=" + text_at(object, {"kind"}) + ",involvedObject.name=" + text_at(object, {"metadata", "name"})));
    }

private:
    Result<json> listed(Result<std::vector<model::Value>> found) const {
        if (!found.ok()) {
            return std::move(found).error().in(text());
        }
        json items = json::array();
        std::transform(found->begin(), found->end(), std::back_inserter(items), json_of);
        return items;
    }

    static std::string selectors_of(const Query& query) {
        std::string out = query.selector.empty() ? "" : "labelSelector=" + kubeapi::url_encoded(query.selector);
        if (!query.name.empty()) {
            out += (out.empty() ? "" : "&") + ("fieldSelector=" + kubeapi::url_encoded("metadata.name=" + query.name));
        }
        return out;
    }

    std::unique_ptr<Cluster> cluster_;
};

// What the files come to: each object with the status that a daemon would give it.
class FilesPlace : public Place {
public:
    explicit FilesPlace(Offline offline) : offline_(std::move(offline)) {}

    [[nodiscard]] std::string text() const override { return "these files"; }
    [[nodiscard]] std::optional<std::string> default_ns() const override { return {}; }
    Result<json> objects(const Query& query) override {
        json items = json::array();
        for (const auto& [key, object] : offline_.store.of_kind(query.kind)) {
            const bool wanted = (!query.ns || key.ns == *query.ns || key.ns.empty()) && (query.name.empty() || key.name == query.name);
            if (json one = shown(*object); wanted && selected(one, query.selector)) {
                items.push_back(std::move(one));
            }
        }
        return items;
    }

private:
    [[nodiscard]] json shown(const model::Object& object) const {
        json out = json_of(model::value_of(object.raw));
        out["metadata"]["annotations"]["penstock.dev/source"] = object.origin.file + ":" + std::to_string(object.origin.line);
        if (!object.key.ns.empty()) {
            out["metadata"]["namespace"] = object.key.ns;
        }
        const auto found = offline_.compiled.statuses.find(object.key);
        if (found != offline_.compiled.statuses.end()) {
            out["status"] = compile::to_json(*found->second, offline_.options.controller_name);
        }
        return out;
    }

    Offline offline_;
};

}  // namespace

Result<json> Place::events(const json& /*object*/) { return json::array(); }

// By looking again and again.
Status Place::watch(const Query& query, const std::function<bool(Seen)>& tell) {
    for (;;) {
        PST_TRY_ASSIGN(const json found, objects(query));
        Seen seen{.all = true, .objects = {}};
        std::transform(found.begin(), found.end(), std::back_inserter(seen.objects), [](const json& one) { return std::pair(one, false); });
        if (!tell(std::move(seen))) {
            return success();
        }
        std::this_thread::sleep_for(kLookAgain);
    }
}

Where where_of(const Arguments& arguments, bool changes) {
    if (!changes && !arguments.files.empty()) {
        return Where::files;
    }
    if (arguments.wants_cluster()) {
        return Where::cluster;
    }
    struct stat ignored = {};
    const bool gone = ::stat((arguments.daemon_folder() + "/control.sock").c_str(), &ignored) != 0 && errno == ENOENT;
    const bool leads_there = !kubeapi::kubeconfigs_of_environment().empty() || (!changes && kubeapi::kubeconfig_of_home().has_value());
    return arguments.state_dir.empty() && gone && leads_there ? Where::cluster : Where::daemon;
}

Result<std::unique_ptr<Place>> open_place(const Arguments& arguments) {
    switch (where_of(arguments, false)) {
        case Where::files: {
            PST_TRY_ASSIGN(Offline offline, compile_files(arguments.files, arguments));
            return std::unique_ptr<Place>(std::make_unique<FilesPlace>(std::move(offline)));
        }
        case Where::cluster: {
            PST_TRY_ASSIGN(auto cluster, Cluster::connect(arguments));
            return std::unique_ptr<Place>(std::make_unique<ClusterPlace>(std::move(cluster)));
        }
        case Where::daemon: break;
    }
    return std::unique_ptr<Place>(std::make_unique<DaemonPlace>(arguments.daemon_folder()));
}

std::optional<std::string> namespace_of(const Arguments& arguments, const Place& place) {
    if (arguments.all_namespaces) {
        return std::nullopt;
    }
    return arguments.ns.empty() ? place.default_ns() : std::optional<std::string>(arguments.ns);
}

}  // namespace penstock::gwctl
