// SPDX-License-Identifier: Apache-2.0
// For tests: the objects of an API server, by path, with versions that rise, and what has happened to them. One thread at a time.
#pragma once

#include <algorithm>
#include <cctype>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

namespace penstock::test {

class ApiObjects {
public:
    struct Event {
        int version;
        nlohmann::json object;
        nlohmann::json content;  // as a watch tells it
    };

    // "/apis/gateway.networking.k8s.io/v1/httproutes", and where the object is in it.
    static std::string collection_of(const nlohmann::json& object) {
        static const std::map<std::string, std::string> kOdd = {{"GatewayClass", "gatewayclasses"}, {"BackendTLSPolicy", "backendtlspolicies"}};
        const std::string kind = object["kind"];
        std::string plural = kind + "s";
        std::transform(plural.begin(), plural.end(), plural.begin(), [](unsigned char c) { return std::tolower(c); });
        plural = kOdd.contains(kind) ? kOdd.at(kind) : plural;
        const std::string version = object["apiVersion"];
        return (version.find('/') == std::string::npos ? "/api/" : "/apis/") + version + "/" + plural;
    }
    static std::string path_of(const nlohmann::json& object) {
        const std::string collection = collection_of(object);
        const std::string ns = object["metadata"].value("namespace", "");
        const std::size_t at = collection.rfind('/');
        return (ns.empty() ? collection : collection.substr(0, at) + "/namespaces/" + ns + collection.substr(at)) + "/" + object["metadata"]["name"].get<std::string>();
    }

    // How many names there are after the version.
    static std::size_t depth_of(const std::string& path) {
        const std::string rest = path.substr(path.starts_with("/api/") ? 5 : 6);
        const auto slashes = static_cast<std::size_t>(std::count(rest.begin(), rest.end(), '/'));
        return path.starts_with("/api/") ? slashes : slashes - 1;
    }
    // "/api/v1/namespaces/a/services" and the collection of the whole: even counts of names are objects.
    static bool is_collection(const std::string& path) { return depth_of(path) % 2 == 1; }

    // "label=value", or "label" for any value.
    static bool selected(const nlohmann::json& object, const std::string& selector) {
        const std::size_t equals = selector.find('=');
        const nlohmann::json labels = object["metadata"].value("labels", nlohmann::json::object());
        return selector.empty() || (equals == std::string::npos ? labels.contains(selector) : labels.value(selector.substr(0, equals), "") == selector.substr(equals + 1));
    }

    [[nodiscard]] bool has(const std::string& path) const { return objects_.contains(path); }
    // Null if there is none.
    [[nodiscard]] nlohmann::json get(const std::string& path) const { return has(path) ? objects_.at(path) : nlohmann::json(); }
    [[nodiscard]] const std::map<std::string, nlohmann::json>& all() const { return objects_; }
    [[nodiscard]] const std::deque<Event>& events() const { return events_; }
    [[nodiscard]] int version() const { return version_; }
    // What is older nobody can be told of any more.
    [[nodiscard]] int forgotten() const { return forgotten_; }
    void forget() {
        forgotten_ = version_;
        events_.clear();
    }

    // Its last version is told; nothing happens if there is none.
    void drop(const std::string& path) {
        const auto found = objects_.find(path);
        if (found != objects_.end()) {
            nlohmann::json last = found->second;
            last["metadata"]["resourceVersion"] = std::to_string(++version_);
            objects_.erase(found);
            events_.push_back({version_, last, {{"type", "DELETED"}, {"object", last}}});
        }
    }

    // Like store(), but no watch hears of it.
    void store_untold(nlohmann::json object) {
        store(std::move(object));
        events_.pop_back();
    }

    // Of a new one version, uid, time and generation are given, of a known one these go on as in an API server; a status stays if none is given.
    void store(nlohmann::json object) {
        const std::string path = path_of(object);
        const bool known = objects_.contains(path);
        auto& meta = object["metadata"];
        meta["resourceVersion"] = std::to_string(++version_);
        meta["uid"] = known ? objects_[path]["metadata"]["uid"] : nlohmann::json("uid-" + std::to_string(version_));
        meta["creationTimestamp"] = known ? objects_[path]["metadata"]["creationTimestamp"] : nlohmann::json("2026-01-02T03:04:05Z");
        const int generation = known ? objects_[path]["metadata"]["generation"].get<int>() : 0;
        const bool same_spec = known && objects_[path].value("spec", nlohmann::json()) == object.value("spec", nlohmann::json());
        meta["generation"] = same_spec ? generation : generation + 1;
        if (known && !object.contains("status") && objects_[path].contains("status")) {
            object["status"] = objects_[path]["status"];
        }
        objects_[path] = object;
        events_.push_back({version_, object, {{"type", known ? "MODIFIED" : "ADDED"}, {"object", object}}});
        if (events_.size() > 10000) {
            forgotten_ = events_.front().version;
            events_.pop_front();
        }
    }

private:
    std::map<std::string, nlohmann::json> objects_;
    std::deque<Event> events_;
    int version_ = 100;
    int forgotten_ = 0;
};

}  // namespace penstock::test
