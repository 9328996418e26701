// SPDX-License-Identifier: Apache-2.0
// For tests of the worker: snapshots from a few words, a keeper in the test, backends and clients with blocking sockets.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "schema/keeper.hpp"
#include "schema/keeper_wire.hpp"
#include "schema/part_name.hpp"
#include "schema/snapshot_generated.h"
#include "schema/stats_page.hpp"
#include "tools/test/catch.hpp"
#include "userspace/base/channel.hpp"
#include "userspace/base/ip.hpp"
#include "userspace/base/memfd.hpp"
#include "userspace/worker/worker.hpp"

namespace penstock::worker::testing {

namespace fb = penstock::snapshot;

inline std::span<const std::uint8_t> bytes_of(const std::string& text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

// ---- sockets ----------------------------------------------------------------------------------------------------------
inline Fd bound(int type, std::uint16_t& port, bool listening = true) {
    Fd fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    sockaddr_storage address;
    const socklen_t size = Endpoint{*IpAddress::parse("127.0.0.1"), port}.to_sockaddr(address);
    REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    if (type == SOCK_STREAM && listening) {
        REQUIRE(::listen(fd.get(), 1024) == 0);
    }
    socklen_t length = sizeof address;
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length);
    port = Endpoint::from_sockaddr(address)->port;
    return fd;
}

class Client {
public:
    explicit Client(std::uint16_t port, int type = SOCK_STREAM) : fd_(::socket(AF_INET, type | SOCK_CLOEXEC, 0)) {
        sockaddr_storage address;
        const socklen_t size = Endpoint{*IpAddress::parse("127.0.0.1"), port}.to_sockaddr(address);
        const timeval patience = {20, 0};
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        connected = ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0;
    }
    bool send(std::string_view text) {
        while (!text.empty()) {
            const ssize_t sent = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
            if (sent <= 0) {
                return false;
            }
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    // Up to the end of the stream, or an error.
    std::string rest() {
        while (more()) {
        }
        return std::exchange(kept_, {});
    }
    std::string until(std::string_view mark) {
        std::size_t at = 0;
        while ((at = kept_.find(mark)) == std::string::npos) {
            if (!more()) {
                return std::exchange(kept_, {});
            }
        }
        std::string text = kept_.substr(0, at + mark.size());
        kept_.erase(0, at + mark.size());
        return text;
    }
    std::string exactly(std::size_t size) {
        while (kept_.size() < size && more()) {
        }
        std::string text = kept_.substr(0, size);
        kept_.erase(0, size);
        return text;
    }
    struct Answer {
        int status = 0;
        std::string head, body;
        [[nodiscard]] std::string header(const std::string& name) const {
            const std::size_t at = head.find("\r\n" + name + ": ");
            return at == std::string::npos ? "" : head.substr(at + name.size() + 4, head.find("\r\n", at + 2) - at - name.size() - 4);
        }
    };
    // One response with Content-Length or chunks; `no_body` for HEAD.
    Answer answer(bool no_body = false) {
        Answer result;
        result.head = until("\r\n\r\n");
        result.status = result.head.size() > 12 ? std::atoi(result.head.substr(9, 3).c_str()) : 0;
        if (no_body || result.status / 100 == 1 || result.status == 204 || result.status == 304) {
            return result;
        }
        if (result.header("Transfer-Encoding") == "chunked") {
            for (;;) {
                const std::size_t size = std::stoul(until("\r\n"), nullptr, 16);
                if (size == 0) {
                    break;
                }
                result.body += exactly(size);
                until("\r\n");
            }
            result.body += until("\r\n") == "\r\n" ? "" : "|trailers";
        } else if (!result.header("Content-Length").empty()) {
            result.body = exactly(std::stoul(result.header("Content-Length")));
        } else {
            result.body = rest();
        }
        return result;
    }
    void shutdown() { ::shutdown(fd_.get(), SHUT_WR); }
    void close() { fd_.reset(); }
    [[nodiscard]] int fd() const { return fd_.get(); }
    bool connected = false;

private:
    bool more() {
        char buffer[65536];
        const ssize_t got = ::recv(fd_.get(), buffer, sizeof buffer, 0);
        if (got <= 0) {
            return false;
        }
        kept_.append(buffer, static_cast<std::size_t>(got));
        return true;
    }
    Fd fd_;
    std::string kept_;
};

// A TCP server whose connections each run `serve` on a thread of their own, given the connected socket.
class Backend {
public:
    explicit Backend(std::function<void(int)> serve) : serve_(std::move(serve)), listener_(bound(SOCK_STREAM, port)) {
        thread_ = std::thread([this] {
            for (;;) {
                const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
                if (stopping_ || fd < 0) {
                    ::close(fd);
                    return;
                }
                ++connections;
                threads_.emplace_back([this, fd] {
                    const timeval patience = {20, 0};
                    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
                    serve_(fd);
                    ::close(fd);
                });
            }
        });
    }
    ~Backend() {
        stopping_ = true;
        ::shutdown(listener_.get(), SHUT_RDWR);
        thread_.join();
        for (auto& thread : threads_) {
            thread.join();
        }
    }
    std::uint16_t port = 0;
    std::atomic<int> connections = 0;

private:
    std::function<void(int)> serve_;
    Fd listener_;
    std::atomic<bool> stopping_ = false;
    std::vector<std::thread> threads_;
    std::thread thread_;
};

// Reads a request's head (and a body of known length) from a blocking socket; empty at the end.
inline std::string read_request(int fd) {
    std::string text;
    char byte[65536];
    while (text.find("\r\n\r\n") == std::string::npos) {
        const ssize_t got = ::recv(fd, byte, sizeof byte, 0);
        if (got <= 0) {
            return {};
        }
        text.append(byte, static_cast<std::size_t>(got));
    }
    const std::size_t at = text.find("\r\nContent-Length: ");
    const std::size_t head = text.find("\r\n\r\n") + 4;
    if (at != std::string::npos && at < head) {
        const std::size_t wanted = head + std::stoul(text.substr(at + 18));
        while (text.size() < wanted) {
            const ssize_t got = ::recv(fd, byte, sizeof byte, 0);
            if (got <= 0) {
                return {};
            }
            text.append(byte, static_cast<std::size_t>(got));
        }
    }
    return text;
}

inline bool send_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

inline std::string response(std::string_view body, std::string_view more = "") {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + std::string(more) + "\r\n" + std::string(body);
}

// Answers every request with `NAME` and what it got, keep-alive.
inline std::function<void(int)> echo_http(const std::string& name) {
    return [name](int fd) {
        for (std::string request = read_request(fd); !request.empty(); request = read_request(fd)) {
            if (!send_all(fd, response(name + "\n" + request))) {
                return;
            }
        }
    };
}

// ---- snapshots ----------------------------------------------------------------------------------------------------------
struct Snapshot {
    fb::RootT root;
    struct Ref {
        fb::PartKind kind;
        std::string key, digest;
    };
    struct Attached {
        std::string key, routes;  // of the Host part as the worker knows it, and of ours that has its bytes
    };
    std::vector<Ref> refs;
    std::vector<Attached> attached;
    std::map<std::string, std::string> parts;  // by "kind/key/digest"
    std::map<std::string, std::string> keys;
    int serial = 0;

    static std::unique_ptr<fb::ObjectRefT> object(const std::string& kind, const std::string& name) {
        auto ref = std::make_unique<fb::ObjectRefT>();
        ref->kind = kind;
        ref->namespace_ = "default";
        ref->name = name;
        return ref;
    }
    static std::unique_ptr<fb::Address> loopback() {
        const IpAddress ip = *IpAddress::parse("127.0.0.1");
        return std::make_unique<fb::Address>(flatbuffers::span<const std::uint8_t, 16>(ip.bytes), std::uint8_t{4});
    }
    template <class Table>
    void add_part(fb::PartKind kind, const std::string& prefix, const std::string& key, const typename Table::NativeTableType& content) {
        const std::string bytes = packed<Table>(content);
        const std::string digest = std::to_string(std::hash<std::string>()(bytes));
        parts[prefix + "/" + key + "/" + digest] = bytes;
        refs.push_back({kind, key, digest});
    }
    template <class Table>
    static std::string packed(const typename Table::NativeTableType& content) {
        flatbuffers::FlatBufferBuilder builder;
        builder.Finish(Table::Pack(builder, &content));
        return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
    }
    // The root, with a list of all parts among `parts`.
    std::string root_bytes() {
        std::map<std::string, Ref> listed;
        for (const Ref& ref : refs) {
            listed[fb::part_path(ref.kind, ref.key)] = ref;
        }
        for (const Attached& one : attached) {
            if (const auto routes = listed.find(fb::part_path(fb::PartKind::Host, one.routes)); routes != listed.end()) {
                parts[fb::part_path(fb::PartKind::Host, one.key) + "/" + routes->second.digest] = parts[routes->first + "/" + routes->second.digest];
                listed[fb::part_path(fb::PartKind::Host, one.key)] = {fb::PartKind::Host, one.key, routes->second.digest};
            }
        }
        for (const Attached& one : attached) {
            listed.erase(fb::part_path(fb::PartKind::Host, one.routes));
        }
        fb::PartListT list;
        for (const auto& [path, ref] : listed) {
            list.parts.push_back(std::make_unique<fb::PartRefT>());
            list.parts.back()->kind = ref.kind;
            list.parts.back()->key = ref.key;
            list.parts.back()->digest = ref.digest;
        }
        const std::string bytes = packed<fb::PartList>(list);
        auto named = std::make_unique<fb::PartRefT>();
        named->kind = fb::PartKind::List;
        named->key = listed.empty() ? "" : listed.begin()->first;
        named->digest = std::to_string(std::hash<std::string>()(bytes));
        parts[fb::part_path(named->kind, named->key) + "/" + named->digest] = bytes;
        root.lists.clear();
        root.lists.push_back(std::move(named));
        return packed<fb::Root>(root);
    }
    void backends(const std::string& key, const std::vector<std::uint16_t>& ports, fb::BackendProtocol protocol = fb::BackendProtocol::Http1) {
        fb::BackendSetT set;
        set.object = object("Service", key);
        set.protocol = protocol;
        set.id = static_cast<std::uint32_t>(++serial);
        for (const std::uint16_t port : ports) {
            auto endpoint = std::make_unique<fb::BackendEndpointT>();
            endpoint->address = loopback();
            endpoint->port = port;
            set.endpoints.push_back(std::move(endpoint));
        }
        add_part<fb::BackendSet>(fb::PartKind::Backends, "backends", key, set);
    }
    static std::unique_ptr<fb::RuleT> rule(const std::vector<std::pair<std::string, std::uint32_t>>& weighted) {
        auto result = std::make_unique<fb::RuleT>();
        result->object = object("HTTPRoute", "r");
        for (const auto& [key, weight] : weighted) {
            auto backend = std::make_unique<fb::WeightedBackendT>();
            backend->backends = key;
            backend->weight = weight;
            result->backends.push_back(std::move(backend));
        }
        return result;
    }
    struct PathRule {
        std::string prefix;
        std::unique_ptr<fb::RuleT> rule;
    };
    void host(const std::string& key, const std::string& hostname, std::vector<PathRule> rules) {
        fb::HostRoutesT routes;
        routes.hostname = hostname;
        for (auto& [prefix, rule_of] : rules) {
            auto match = std::make_unique<fb::MatchT>();
            match->path = prefix;
            match->rule = static_cast<std::uint32_t>(routes.rules.size());
            if (!prefix.empty()) {
                routes.matches.push_back(std::move(match));
            }
            rule_of->id = static_cast<std::uint32_t>(++serial);
            routes.rules.push_back(std::move(rule_of));
        }
        add_part<fb::HostRoutes>(fb::PartKind::Host, "host", key, routes);
    }
    void certificate(const std::string& key, const std::string& chain, const std::string& pem, const std::vector<std::string>& names) {
        fb::CertificateSetT set;
        auto certificate = std::make_unique<fb::CertificateT>();
        certificate->chain_pem = chain;
        certificate->key_id = key + "-key";
        certificate->names = names;
        certificate->object = object("Secret", key);
        set.certificates.push_back(std::move(certificate));
        keys[key + "-key"] = pem;
        add_part<fb::CertificateSet>(fb::PartKind::Certificates, "certificates", key, set);
    }
    // A listener with one host part for each (hostname, part key); gives its index.
    std::uint32_t listener(fb::ListenerMode mode, const std::string& hostname, const std::vector<std::pair<std::string, std::string>>& hosts,
                           const std::string& certificates = "") {
        auto result = std::make_unique<fb::ListenerT>();
        result->id = static_cast<std::uint32_t>(root.listeners.size() + 1);
        result->name = "Gateway/default/g/" + std::to_string(result->id);
        result->object = object("Gateway", "g");
        result->mode = mode;
        result->hostname = hostname;
        result->certificates = certificates;
        for (const auto& [name, part] : hosts) {
            attached.push_back({fb::host_key(result->name, name), part});
        }
        root.listeners.push_back(std::move(result));
        return static_cast<std::uint32_t>(root.listeners.size() - 1);
    }
    void port(fb::PortMode mode, const std::string& socket, std::uint16_t number, const std::vector<std::uint32_t>& listeners) {
        auto result = std::make_unique<fb::PortT>();
        result->address = loopback();
        result->port = number;
        result->mode = mode;
        result->socket = socket;
        result->listeners = listeners;
        root.ports.push_back(std::move(result));
    }
    fb::LimitsT& limits() {
        if (root.limits == nullptr) {
            root.limits = std::make_unique<fb::LimitsT>();
        }
        return *root.limits;
    }
};

// ---- the keeper -----------------------------------------------------------------------------------------------------------
// Runs a Worker on a thread and talks to it as the keeper does.
class Harness {
public:
    explicit Harness(ring::Kind kind, std::uint32_t slots = 2) : slots_(slots), page_fd_(::memfd_create("stats", MFD_CLOEXEC)) {
        REQUIRE(::ftruncate(page_fd_.get(), sizeof(StatsPage)) == 0);
        page = static_cast<StatsPage*>(::mmap(nullptr, sizeof(StatsPage), PROT_READ | PROT_WRITE, MAP_SHARED, page_fd_.get(), 0));
        page->magic = kStatsMagic;
        page->version = kStatsVersion;
        page->slots = slots;
        auto pair = channel_pair();
        REQUIRE(pair.ok());
        channel_ = std::move(pair->first);
        worker_ = std::make_unique<Worker>(Config{slots, kind});
        thread_ = std::thread([this, end = std::make_shared<Fd>(std::move(pair->second))] { run_ok = worker_->run(std::move(*end)).ok(); });
        put(keeper::ItemKind::StatsPage, "", {page_fd_.get()});
    }
    ~Harness() {
        channel_.reset();
        join();
        worker_.reset();
        ::munmap(page, sizeof(StatsPage));
    }
    void join() {
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    template <class Table>
    void say(Table table, const std::vector<int>& fds = {}) {
        REQUIRE(channel_send(channel_.get(), keeper::encode(std::move(table)), fds).ok());
    }
    void put(keeper::ItemKind kind, const std::string& name, const std::vector<int>& fds) {
        keeper::PutT message;
        message.kind = kind;
        message.name = name;
        say(std::move(message), fds);
    }
    void put_bytes(keeper::ItemKind kind, const std::string& name, const std::string& bytes) {
        auto fd = sealed_memfd(name.substr(0, 200), bytes_of(bytes));
        REQUIRE(fd.ok());
        put(kind, name, {fd->get()});
    }
    // Sockets for a port of that name; gives the port's number.
    std::uint16_t open(const std::string& name, int type = SOCK_STREAM) {
        std::uint16_t number = 0;
        std::vector<Fd> fds;
        std::vector<int> numbers;
        for (std::uint32_t slot = 0; slot < slots_; ++slot) {
            fds.push_back(bound(type, number));
            numbers.push_back(fds.back().get());
        }
        put(keeper::ItemKind::Socket, name, numbers);
        return number;
    }
    keeper::TakenT publish(Snapshot& snapshot) {
        snapshot.root.generation = ++generation_;
        const std::string root = snapshot.root_bytes();
        for (const auto& [name, bytes] : snapshot.parts) {
            if (sent_.emplace(name, true).second) {
                put_bytes(keeper::ItemKind::Part, name, bytes);
            }
        }
        for (const auto& [name, pem] : snapshot.keys) {
            put_bytes(keeper::ItemKind::Key, name, pem);
        }
        return publish_bytes(root);
    }
    keeper::TakenT publish_bytes(const std::string& root) {
        const std::string name = "root-" + std::to_string(generation_);
        put_bytes(keeper::ItemKind::Root, name, root);
        keeper::PublishT message;
        message.generation = generation_;
        message.root = name;
        say(std::move(message));
        return taken();
    }
    void activate() { say(keeper::ActivateT{}); }
    keeper::TakenT taken() {
        for (;;) {
            pollfd polled = {channel_.get(), POLLIN, 0};
            REQUIRE(::poll(&polled, 1, 20'000) == 1);
            auto received = channel_receive(channel_.get());
            REQUIRE(received.ok());
            auto message = keeper::decode(received->bytes);
            if (auto* answer = message->body.AsTaken()) {
                return std::move(*answer);
            }
        }
    }
    [[nodiscard]] std::uint64_t reason(Reason which) const {
        std::uint64_t sum = 0;
        for (std::uint32_t slot = 0; slot < slots_; ++slot) {
            sum += page->slot[slot].reasons[static_cast<std::size_t>(which)].load();
        }
        return sum;
    }
    [[nodiscard]] std::uint64_t total(Counter SlotStats::* counter) const {
        std::uint64_t sum = 0;
        for (std::uint32_t slot = 0; slot < slots_; ++slot) {
            sum += (page->slot[slot].*counter).load();
        }
        return sum;
    }

    StatsPage* page = nullptr;
    std::atomic<bool> run_ok = false;

private:
    std::uint32_t slots_;
    Fd page_fd_;
    Fd channel_;
    std::unique_ptr<Worker> worker_;
    std::thread thread_;
    std::map<std::string, bool> sent_;
    std::uint64_t generation_ = 0;
};

// True as soon as `what` is, false after a while.
inline bool eventually(const std::function<bool()>& what) {
    for (int i = 0; i < 1000; ++i) {
        if (what()) {
            return true;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

inline constexpr const char* kGet = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

// One HTTP port whose host a.test leads to `backends`.
struct OneHost {
    OneHost(Harness& harness, const std::vector<std::uint16_t>& backends) {
        port = harness.open("tcp/http");
        fill(backends);
        harness.activate();
        REQUIRE(harness.publish(snapshot).refused.empty());
    }
    void fill(const std::vector<std::uint16_t>& backends, const std::string& marker = "") {
        snapshot = {};
        snapshot.backends("b", backends);
        auto rule = Snapshot::rule({{"b", 1}});
        if (!marker.empty()) {
            rule->filters = std::make_unique<fb::FiltersT>();
            rule->filters->response_headers = std::make_unique<fb::HeaderEditT>();
            auto field = std::make_unique<fb::NameValueT>();
            field->name = "X-Version";
            field->value = marker;
            rule->filters->response_headers->set.push_back(std::move(field));
        }
        std::vector<Snapshot::PathRule> rules;
        rules.push_back({"/", std::move(rule)});
        snapshot.host("h", "a.test", std::move(rules));
        snapshot.port(fb::PortMode::Http, "tcp/http", port, {snapshot.listener(fb::ListenerMode::Http, "", {{"a.test", "h"}})});
    }
    Snapshot snapshot;
    std::uint16_t port = 0;
};

inline void on_both_kinds(const std::function<void(ring::Kind)>& test) {
    for (const ring::Kind kind : {ring::Kind::epoll, ring::Kind::io_uring}) {
        if (kind == ring::Kind::io_uring && !ring::Loop::probe_io_uring().ok()) {
            WARN("io_uring does not work here");
            continue;
        }
        INFO(ring::to_string(kind));
        test(kind);
    }
}

}  // namespace penstock::worker::testing
