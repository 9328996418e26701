// SPDX-License-Identifier: Apache-2.0
// For tests: a writer of statuses, and the API server that it writes to, in memory.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "ctl/status/writer.hpp"

namespace penstock::status::testing {

inline constexpr const char* kController = "penstock.dev/gateway-controller";
inline const model::ObjectKey kClass{model::Kind::gateway_class, "", "penstock"};
inline const model::ObjectKey kGateway{model::Kind::gateway, "default", "edge"};
inline const model::ObjectKey kSet{model::Kind::listener_set, "default", "more"};
inline const model::ObjectKey kRoute{model::Kind::http_route, "default", "shop"};

inline std::shared_ptr<const nlohmann::json> status_of(const std::string& value) {
    return std::make_shared<const nlohmann::json>(nlohmann::json{{"conditions", nlohmann::json::array({{{"type", "Accepted"}, {"status", value}, {"lastTransitionTime", "t"}}})}});
}

// A server in memory: it takes a patch if its version is the object's.
struct Server {
    struct Pending {
        model::ObjectKey key;
        nlohmann::json patch;
        Writer::Done done;
    };
    std::map<model::ObjectKey, Target> objects;
    std::deque<Pending> pending;
    int version = 100;
    Writer::Time now{std::chrono::hours(1)};

    Writer writer{kController, [this](const model::ObjectKey& key) { return objects.contains(key) ? std::optional(objects.at(key)) : std::nullopt; },
                  [this](const kubeapi::Request& request, Writer::Done done) {
                      for (const auto& [key, target] : objects) {
                          if (target.path == request.path) {
                              pending.push_back({key, nlohmann::json::parse(request.body), std::move(done)});
                              return;
                          }
                      }
                      pending.push_back({{}, nlohmann::json(), std::move(done)});
                  },
                  [this](const model::ObjectKey& key, std::string at, nlohmann::json status) { objects[key] = {objects[key].path, std::move(at), std::move(status)}; }};

    void put(const model::ObjectKey& key, nlohmann::json status = nullptr) {
        objects[key] = {"/" + key.text(), std::to_string(++version), std::move(status)};
        writer.seen(key);
    }
    void want(const model::ObjectKey& key, const std::string& value) { writer.want(key, std::make_shared<const std::string>(status_of(value)->dump())); }
    std::optional<Writer::Time> pump() { return writer.pump(now, 1'800'000'000); }
    // Which objects are being written.
    [[nodiscard]] std::string flying() const {
        std::string out;
        for (const Pending& one : pending) {
            out += one.key.text() + ",";
        }
        return out;
    }
    void answer(long code = 0, std::string body = "{}") {
        Pending one = std::move(pending.front());
        pending.pop_front();
        if (code == 0) {
            Target& target = objects.at(one.key);
            if (one.patch["metadata"]["resourceVersion"] != target.version) {
                code = 409;
            } else {
                code = 200;
                nlohmann::json status = target.status.is_object() ? target.status : nlohmann::json::object();
                status.merge_patch(one.patch["status"]);
                body = nlohmann::json{{"metadata", {{"resourceVersion", std::to_string(++version)}}}, {"status", status}}.dump();
            }
        }
        one.done(kubeapi::Answer{.status = code, .body = body, .retry_after = {}});
    }
};

}  // namespace penstock::status::testing
