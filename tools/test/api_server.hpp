// SPDX-License-Identifier: Apache-2.0
// For tests: an API server in memory, over plain HTTP on loopback. It knows discovery, lists in pages, watches with bookmarks' form, merge
// patches of status with versions that must match, applies objects whole (or refuses for another manager's sake), deletes, and it can be made
// to fail.
#pragma once

#include <httplib.h>
#include <sys/socket.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tools/test/api_faults.hpp"
#include "tools/test/api_objects.hpp"

namespace penstock::test {

class ApiServer {
public:
    explicit ApiServer(const std::string& host = "127.0.0.1", int port = 0) : host_(host) {
        server_.new_task_queue = [] { return new httplib::ThreadPool(256); };  // each watch holds one, and each connection that is kept
        server_.set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) { return before(request, response); });
        server_.Get("/.*", [this](const httplib::Request& request, httplib::Response& response) { get(request, response); });
        server_.Post("/.*", [this](const httplib::Request& request, httplib::Response& response) { write(request, response); });
        server_.Put("/.*", [this](const httplib::Request& request, httplib::Response& response) { write(request, response); });
        server_.Delete("/.*", [this](const httplib::Request& request, httplib::Response& response) { erase(request, response); });
        server_.Patch("/.*", [this](const httplib::Request& request, httplib::Response& response) { patch(request, response); });
        server_.set_socket_options([this](int socket) {
            const int on = 1;
            ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
            socket_ = socket;
        });
        port_ = port != 0 && server_.bind_to_port(host, port) ? port : server_.bind_to_any_port(host);
        // The library's 5 are few: a client without HTTP/2 asks for many things at once, and one that does not get in tries again after a second.
        ::listen(socket_, kBacklog);
        thread_ = std::thread([this] { server_.listen_after_bind(); });
        while (!server_.is_running()) {
            std::this_thread::yield();
        }
    }
    ~ApiServer() {
        {
            const std::lock_guard lock(mutex_);
            over_ = true;
        }
        changed_.notify_all();
        server_.stop();
        thread_.join();
    }
    ApiServer(const ApiServer&) = delete;
    ApiServer& operator=(const ApiServer&) = delete;

    [[nodiscard]] std::string url() const { return "http://" + host_ + ":" + std::to_string(port_); }

    // Puts an object; apiVersion, kind and metadata.name must be there. Its collection is that of its kind, in lower case with an s.
    void put(nlohmann::json object) {
        const std::lock_guard lock(mutex_);
        objects_.store(std::move(object));
        changed_.notify_all();
    }
    // Lists have both, and watches tell of the second only.
    void put_untold(nlohmann::json object, nlohmann::json told) {
        const std::lock_guard lock(mutex_);
        objects_.store_untold(std::move(object));
        objects_.store(std::move(told));
        changed_.notify_all();
    }
    void remove(const std::string& path) {
        const std::lock_guard lock(mutex_);
        objects_.drop(path);
        changed_.notify_all();
    }
    [[nodiscard]] nlohmann::json get(const std::string& path) {
        const std::lock_guard lock(mutex_);
        return objects_.get(path);
    }
    // Every version of an object since it was made or forget() was called, the oldest first; its last one again if it was deleted.
    [[nodiscard]] std::vector<nlohmann::json> history(const std::string& path) {
        const std::lock_guard lock(mutex_);
        std::vector<nlohmann::json> versions;
        for (const ApiObjects::Event& event : objects_.events()) {
            if (ApiObjects::path_of(event.object) == path) {
                versions.push_back(event.object);
            }
        }
        return versions;
    }

    // Forgets the events so far: watches from there end with 410.
    void forget() {
        const std::lock_guard lock(mutex_);
        objects_.forget();
    }
    // Ends every watch, in the middle of an event if asked for.
    void cut_watches(bool in_an_event) {
        const std::lock_guard lock(mutex_);
        cut_ += 1;
        cut_in_an_event_ = in_an_event;
        changed_.notify_all();
    }
    // The next `count` requests whose "METHOD /path" contains `part` get this status.
    void fail(std::string part, int status, unsigned count, std::string retry_after = {}) {
        const std::lock_guard lock(mutex_);
        faults_.fail(std::move(part), status, count, std::move(retry_after));
    }
    // Requests whose path contains `part` get no answer while this server lives.
    void hold(std::string part) {
        const std::lock_guard lock(mutex_);
        faults_.hold(std::move(part));
    }
    // What is applied to a path that contains `part` is taken at once, and answered when this is called with "".
    void answer_late(std::string part) {
        const std::lock_guard lock(mutex_);
        faults_.answer_late(std::move(part));
        changed_.notify_all();
    }
    // Says that another manager has set a field of an object: who applies it is refused, unless by force.
    void own(const std::string& path, const std::string& manager, const std::string& field) {
        const std::lock_guard lock(mutex_);
        faults_.own(path, manager, field);
    }
    // Kinds whose CRD is not there: "tlsroutes".
    void hide(const std::string& plural, bool hidden) {
        const std::lock_guard lock(mutex_);
        faults_.hide(plural, hidden);
    }
    [[nodiscard]] std::vector<std::string> seen() {
        const std::lock_guard lock(mutex_);
        return seen_;
    }
    [[nodiscard]] unsigned requests(const std::string& part) {
        const std::lock_guard lock(mutex_);
        return static_cast<unsigned>(std::count_if(seen_.begin(), seen_.end(), [&](const std::string& one) { return one.find(part) != std::string::npos; }));
    }
    // Accept-Encoding of all requests.
    [[nodiscard]] std::set<std::string> encodings() {
        const std::lock_guard lock(mutex_);
        return encodings_;
    }
    std::size_t page = 500;

private:
    // Whether every condition anywhere in a status has its time, which the CRDs' schemas require.
    static bool all_timed(const nlohmann::json& in) {
        if (!in.is_structured()) {
            return true;
        }
        const bool here = !in.is_object() || !in.contains("conditions") || std::all_of(in["conditions"].begin(), in["conditions"].end(), [](const nlohmann::json& one) { return one.contains("lastTransitionTime"); });
        return here && std::all_of(in.begin(), in.end(), [](const nlohmann::json& part) { return all_timed(part); });
    }
    static void status(httplib::Response& response, int code, const std::string& message) {
        response.status = code;
        response.set_content(nlohmann::json{{"kind", "Status"}, {"code", code}, {"message", message}}.dump(), "application/json");
    }

    // " Impersonate-Group=a Impersonate-User=b"
    static std::string acting_of(const httplib::Request& request) {
        std::string out;
        for (const auto& [name, value] : request.headers) {
            out += name.starts_with("Impersonate-") ? " " + name + "=" + value : "";
        }
        return out;
    }

    httplib::Server::HandlerResponse before(const httplib::Request& request, httplib::Response& response) {
        std::unique_lock lock(mutex_);
        if (faults_.holds(request.target)) {
            changed_.wait(lock, [this] { return over_; });
        }
        encodings_.insert(request.get_header_value("Accept-Encoding"));
        seen_.push_back(request.method + " " + request.target + " " + request.get_header_value("Authorization") + acting_of(request));
        if (faults_.hides(request.path)) {
            status(response, 404, "not found");
            return httplib::Server::HandlerResponse::Handled;
        }
        if (const auto failure = faults_.take(request.method + " " + request.target)) {
            if (!failure->retry_after.empty()) {
                response.set_header("Retry-After", failure->retry_after);
            }
            status(response, failure->status, "made to fail");
            return httplib::Server::HandlerResponse::Handled;
        }
        return httplib::Server::HandlerResponse::Unhandled;
    }

    void get(const httplib::Request& request, httplib::Response& response) {
        static const std::map<std::string, std::vector<const char*>> kBuiltIn = {
            {"/api/v1", {"Service", "Secret", "ConfigMap", "Namespace"}}, {"/apis/discovery.k8s.io/v1", {"EndpointSlice"}}, {"/apis/apps/v1", {"Deployment"}}};
        if (const auto known = kBuiltIn.find(request.path); known != kBuiltIn.end()) {
            resources(response, request.path.substr(request.path.find('/', 1) + 1), known->second);
        } else if (request.path == "/apis/gateway.networking.k8s.io") {
            response.set_content(R"({"kind":"APIGroup","name":"gateway.networking.k8s.io","versions":[{"version":"v1"}]})", "application/json");
        } else if (request.path == "/apis/gateway.networking.k8s.io/v1") {
            resources(response, "gateway.networking.k8s.io/v1",
                      {"GatewayClass", "Gateway", "ListenerSet", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute", "ReferenceGrant", "BackendTLSPolicy"});
        } else if (request.path.starts_with("/apis/gateway.networking.x-k8s.io") || ApiObjects::depth_of(request.path) == 0 || ApiObjects::depth_of(request.path) > 4) {
            status(response, 404, "not found");
        } else if (!ApiObjects::is_collection(request.path)) {
            const std::lock_guard lock(mutex_);
            objects_.has(request.path) ? response.set_content(objects_.get(request.path).dump(), "application/json") : status(response, 404, "not found");
        } else if (request.has_param("watch")) {
            watch(request, response);
        } else {
            list(request, response);
        }
    }

    void resources(httplib::Response& response, const std::string& api_version, const std::vector<const char*>& kinds) {
        const std::lock_guard lock(mutex_);
        nlohmann::json list = nlohmann::json::array();
        for (const std::string kind : kinds) {
            const std::string collection = ApiObjects::collection_of({{"kind", kind}, {"apiVersion", "v1"}});
            const std::string plural = collection.substr(collection.rfind('/') + 1);
            if (!faults_.has_hidden(plural)) {
                list.push_back({{"name", plural}, {"kind", kind}, {"namespaced", kind != "GatewayClass" && kind != "Namespace"}});
                list.push_back({{"name", plural + "/status"}, {"kind", kind}, {"namespaced", true}});
            }
        }
        response.set_content(nlohmann::json{{"kind", "APIResourceList"}, {"groupVersion", api_version}, {"resources", list}}.dump(), "application/json");
    }

    // Whether it is in the collection of `request`, of all namespaces or of one, and is not left out by a label.
    static bool asked_for(const nlohmann::json& object, const httplib::Request& request) {
        const std::string path = ApiObjects::path_of(object);
        return (ApiObjects::collection_of(object) == request.path || path.substr(0, path.rfind('/')) == request.path) && ApiObjects::selected(object, request.get_param_value("labelSelector"));
    }

    void list(const httplib::Request& request, httplib::Response& response) {
        const std::lock_guard lock(mutex_);
        nlohmann::json items = nlohmann::json::array();
        const std::string from = request.has_param("continue") ? request.get_param_value("continue") : "";
        std::string more;
        for (const auto& [path, object] : objects_.all()) {
            const std::string fields = request.has_param("fieldSelector") ? request.get_param_value("fieldSelector") : "";
            if (path <= from || !asked_for(object, request) || (fields.starts_with("metadata.name=") && fields.substr(14) != object["metadata"]["name"].get<std::string>())) {
                continue;
            }
            if (items.size() == page) {
                more = ApiObjects::path_of(items.back());
                break;
            }
            items.push_back(object);
        }
        response.set_content(nlohmann::json{{"metadata", {{"resourceVersion", std::to_string(objects_.version())}, {"continue", more}}}, {"items", items}}.dump(), "application/json");
    }

    void watch(const httplib::Request& request, httplib::Response& response) {
        int from = std::stoi(request.get_param_value("resourceVersion"));
        unsigned cut = 0;
        {
            const std::lock_guard lock(mutex_);
            cut = cut_;
            if (from < objects_.forgotten()) {
                status(response, 410, "too old resource version");
                return;
            }
        }
        response.set_chunked_content_provider("application/json;stream=watch", [this, from, cut, request](std::size_t, httplib::DataSink& sink) mutable {
            std::unique_lock lock(mutex_);
            std::string text;
            changed_.wait_for(lock, std::chrono::milliseconds(200), [&] { return over_ || cut_ != cut || (!objects_.events().empty() && objects_.events().back().version > from); });
            for (const ApiObjects::Event& event : objects_.events()) {
                if (event.version > from) {
                    from = event.version;
                    text += asked_for(event.object, request) ? event.content.dump() + "\n" : "";
                }
            }
            if (over_ || cut_ != cut) {
                if (cut_in_an_event_) {
                    text += R"({"type":"ADDED","object":{"metadata":{"name":"half)";
                }
                sink.write(text.data(), text.size());
                sink.done();
                return true;
            }
            lock.unlock();
            return text.empty() || sink.write(text.data(), text.size());
        });
    }

    void write(const httplib::Request& request, httplib::Response& response) {
        const std::lock_guard lock(mutex_);
        nlohmann::json body = nlohmann::json::parse(request.body, nullptr, false);
        const std::string path = ApiObjects::path_of(body);
        const bool create = request.method == "POST";
        const bool known = objects_.has(path);
        if (create == known || (!create && body["metadata"].value("resourceVersion", "") != objects_.get(path)["metadata"]["resourceVersion"])) {
            status(response, 409, "the object has been modified");
            return;
        }
        objects_.store(std::move(body));
        changed_.notify_all();
        response.status = create ? 201 : 200;
        response.set_content(objects_.get(path).dump(), "application/json");
    }

    void apply(const httplib::Request& request, const nlohmann::json& body, httplib::Response& response) {
        const bool force = request.has_param("force") && request.get_param_value("force") == "true";
        if (const nlohmann::json conflict = faults_.conflict(request.path); !conflict.is_null() && !force) {
            status(response, 409, "Apply failed with 1 conflict: " + conflict["message"].get<std::string>());
            nlohmann::json answer = nlohmann::json::parse(response.body);
            answer["details"]["causes"] = nlohmann::json::array({conflict});
            response.set_content(answer.dump(), "application/json");
            return;
        }
        response.status = objects_.has(request.path) ? 200 : 201;
        if (request.has_param("dryRun")) {
            response.set_content(body.dump(), "application/json");
            return;
        }
        faults_.disown(request.path);
        objects_.store(body);
        changed_.notify_all();
        response.set_content(objects_.get(request.path).dump(), "application/json");
    }

    void erase(const httplib::Request& request, httplib::Response& response) {
        const std::lock_guard lock(mutex_);
        if (!objects_.has(request.path)) {
            status(response, 404, "not found");
            return;
        }
        const nlohmann::json options = nlohmann::json::parse(request.body, nullptr, false);
        if (options.is_object() && options.contains("preconditions") && options["preconditions"]["resourceVersion"] != objects_.get(request.path)["metadata"]["resourceVersion"]) {
            status(response, 409, "the object has been modified");
            return;
        }
        if (!request.has_param("dryRun")) {
            objects_.drop(request.path);
            changed_.notify_all();
        }
        response.set_content(nlohmann::json{{"kind", "Status"}, {"status", "Success"}}.dump(), "application/json");
    }

    void patch(const httplib::Request& request, httplib::Response& response) {
        std::unique_lock lock(mutex_);
        const nlohmann::json body = nlohmann::json::parse(request.body, nullptr, false);
        if (request.get_header_value("Content-Type") == "application/apply-patch+yaml") {
            apply(request, body, response);
            changed_.wait(lock, [&] { return over_ || !faults_.is_late(request.path); });
            return;
        }
        const std::string path = request.path.substr(0, request.path.rfind("/status"));
        nlohmann::json next = objects_.get(path);
        if (next.is_null() || path == request.path) {
            status(response, 404, "not found");
        } else if (body.is_discarded() || request.get_header_value("Content-Type") != "application/merge-patch+json") {
            status(response, 400, "no merge patch");
        } else if (body["metadata"].value("resourceVersion", "") != next["metadata"]["resourceVersion"]) {
            status(response, 409, "the object has been modified");
        } else {
            next["status"].merge_patch(body["status"]);
            if (!all_timed(next["status"])) {
                status(response, 422, "conditions.lastTransitionTime: Required value");
                return;
            }
            objects_.store(std::move(next));
            changed_.notify_all();
            response.set_content(objects_.get(path).dump(), "application/json");
        }
    }

    static constexpr int kBacklog = 512;

    httplib::Server server_;
    int socket_ = -1;  // the library's
    const std::string host_;
    int port_ = 0;
    std::thread thread_;
    std::mutex mutex_;
    std::condition_variable changed_;
    ApiObjects objects_;
    ApiFaults faults_;
    std::vector<std::string> seen_;
    std::set<std::string> encodings_;
    unsigned cut_ = 0;
    bool cut_in_an_event_ = false;
    bool over_ = false;
};

}  // namespace penstock::test
