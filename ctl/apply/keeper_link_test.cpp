// SPDX-License-Identifier: Apache-2.0
// The test plays the keeper; sockets are opened on loopback.
#include "ctl/apply/keeper_link.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <thread>

#include "ctl/apply/sockets.hpp"
#include "schema/keeper.hpp"
#include "tools/test/catch.hpp"
#include "userspace/base/memfd.hpp"

using namespace penstock;
using namespace penstock::apply;
using keeper::ItemKind;

namespace {

class FakeKeeper {
public:
    FakeKeeper() {
        auto pair = channel_pair();
        REQUIRE(pair.ok());
        ours = std::move(pair->first);
        theirs = std::move(pair->second);
    }
    template <class Table>
    void say(Table table) {
        REQUIRE(channel_send(ours.get(), keeper::encode(std::move(table))).ok());
    }
    std::unique_ptr<keeper::MessageT> hear(std::size_t* fds = nullptr) {
        auto received = channel_receive(ours.get());
        REQUIRE(received.ok());
        if (fds != nullptr) {
            *fds = received->fds.size();
        }
        contents.clear();
        for (const Fd& fd : received->fds) {
            const auto content = SealedBytes::of(fd.get(), 1024);
            const auto bytes = content.ok() ? content->bytes() : std::span<const std::uint8_t>();
            contents.emplace_back(bytes.begin(), bytes.end());
        }
        return keeper::decode(received->bytes);
    }
    void greet() {
        keeper::HelloT hello;
        hello.version = keeper::kProtocolVersion;
        hello.pid = 77;
        say(hello);
        keeper::WelcomeT welcome;
        welcome.slots = 2;
        say(welcome);
        keeper::ItemT item;
        item.kind = ItemKind::Parts;
        item.name = "host/a/1";
        say(item);
        keeper::WorkerEventT event;
        event.pid = 5;
        event.state = keeper::WorkerState::Active;
        say(event);
        keeper::SyncedT synced;
        synced.generation = 9;
        synced.root = "r9";
        say(synced);
    }
    Fd ours, theirs;
    std::vector<std::string> contents;  // of the memory files heard last
};

}  // namespace

TEST_CASE("keeper link: what is held, who serves what, and what goes out") {
    FakeKeeper fake;
    fake.greet();
    auto link = KeeperLink::over(std::move(fake.theirs));
    REQUIRE(link.ok());
    CHECK(fake.hear()->body.AsHello()->role == "daemon");
    CHECK((*link)->slots() == 2);
    CHECK((*link)->keeper_pid() == 77);
    CHECK((*link)->published_generation() == 9);
    CHECK((*link)->held() == plan::Items{{ItemKind::Parts, "host/a/1"}});

    std::uint64_t seen = 0;
    (*link)->on_taken = [&](const keeper::TakenT& taken) { seen = taken.generation; };
    keeper::TakenT taken;
    taken.pid = 5;
    taken.generation = 10;
    taken.standby = true;
    fake.say(taken);
    taken.standby = false;
    taken.generation = 11;
    fake.say(taken);
    keeper::AboutT about;
    about.pid = 5;
    about.ring = "epoll";
    about.unconfined = "no seccomp here";
    fake.say(about);
    about.pid = 6;  // nobody's
    fake.say(about);
    REQUIRE((*link)->receive().ok());
    CHECK((*link)->workers().size() == 1);
    CHECK((*link)->workers().at(5).ring == "epoll");
    CHECK((*link)->workers().at(5).unconfined == "no seccomp here");
    CHECK(seen == 11);
    CHECK((*link)->workers().at(5).generation == 11);

    // What is put waits for what is said next.
    REQUIRE((*link)->put_bytes(ItemKind::Key, "k", "secret").ok());
    REQUIRE((*link)->drop(ItemKind::Parts, "host/a/1").ok());
    std::size_t fds = 0;
    CHECK(fake.hear(&fds)->body.AsPut()->name == "k");
    CHECK(fds == 1);
    CHECK(fake.hear()->body.AsDrop()->name == "host/a/1");
    REQUIRE((*link)->put_bytes(ItemKind::Parts, "host/b/2", "b").ok());
    (*link)->make_files();
    REQUIRE((*link)->put_bytes(ItemKind::Root, "r12", "root").ok());
    REQUIRE((*link)->publish(12, "r12").ok());
    const auto published = fake.hear(&fds);
    CHECK(published->body.AsPublish()->generation == 12);
    REQUIRE(published->body.AsPublish()->brings.size() == 2);
    CHECK(published->body.AsPublish()->brings[0]->name == "host/b/2");
    CHECK(published->body.AsPublish()->brings[1]->kind == ItemKind::Root);
    CHECK(fds == 2);
    CHECK(fake.contents == std::vector<std::string>{"b", "root"});
    CHECK((*link)->held() == plan::Items{{ItemKind::Root, "r12"}, {ItemKind::Parts, "host/b/2"}, {ItemKind::Key, "k"}});
    // More than a message may have goes before.
    (*link)->make_files();
    for (std::size_t i = 0; i < keeper::kBroughtMax + 3; ++i) {
        REQUIRE((*link)->put_bytes(ItemKind::Parts, "p" + std::to_string(i), "x" + std::to_string(i)).ok());
    }
    REQUIRE((*link)->put_bytes(ItemKind::Parts, std::string(keeper::kBroughtNamesMax, 'n'), "x").ok());
    REQUIRE((*link)->publish(13, "r12").ok());
    for (std::size_t i = 0; i < keeper::kBroughtMax + 3; ++i) {
        CHECK(fake.hear()->body.AsPut()->name == "p" + std::to_string(i));
        CHECK(fake.contents == std::vector{"x" + std::to_string(i)});
    }
    CHECK(fake.hear()->body.AsPut()->name.size() == keeper::kBroughtNamesMax);
    CHECK(fake.hear(&fds)->body.AsPublish()->brings.empty());
    CHECK(fds == 0);

    // What cannot be sent now is brought along by the next one.
    ::fcntl((*link)->fd(), F_SETFL, O_NONBLOCK);
    std::size_t filled = 0;
    while ((*link)->drop(ItemKind::Parts, "fill").ok()) {
        ++filled;
    }
    REQUIRE((*link)->put_bytes(ItemKind::Parts, "late", "x").ok());
    CHECK_FALSE((*link)->publish(14, "r12").ok());
    CHECK_FALSE((*link)->drop(ItemKind::Parts, "fill").ok());
    for (std::size_t i = 0; i < filled; ++i) {
        CHECK(fake.hear()->body.AsDrop()->name == "fill");
    }
    REQUIRE((*link)->put_bytes(ItemKind::Root, "r15", "root").ok());
    REQUIRE((*link)->publish(15, "r15").ok());
    const auto whole = fake.hear(&fds);
    REQUIRE(whole->body.AsPublish()->brings.size() == 2);
    CHECK(whole->body.AsPublish()->brings[0]->name == "late");
    CHECK(fds == 2);

    fake.ours.reset();
    CHECK_FALSE((*link)->receive().ok());
}

TEST_CASE("keeper link: a keeper that refuses, and one that says nothing, are errors with a hint") {
    FakeKeeper refusing;
    keeper::RefusedT refused;
    refused.reason = "version 2";
    refusing.say(refused);
    auto link = KeeperLink::over(std::move(refusing.theirs));
    REQUIRE_FALSE(link.ok());
    CHECK(link.error().message().find("version 2") != std::string::npos);
    FakeKeeper silent;
    auto none = KeeperLink::over(std::move(silent.theirs), 50);
    REQUIRE_FALSE(none.ok());
    CHECK(none.error().code == Errc::timeout);
}

TEST_CASE("sockets: one per slot on one port, and a port in use is told with a hint") {
    auto free_port = open_sockets({compile::Transport::tcp, *Endpoint::parse("127.0.0.1:0")}, 1);
    REQUIRE(free_port.ok());
    sockaddr_storage address = {};
    socklen_t size = sizeof address;
    ::getsockname((*free_port)[0].get(), reinterpret_cast<sockaddr*>(&address), &size);
    const Endpoint taken = *Endpoint::from_sockaddr(address);
    CHECK(open_sockets({compile::Transport::tcp, taken}, 3).ok());  // SO_REUSEPORT: ours share it

    const Fd thief(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage any = {};
    const socklen_t any_size = Endpoint::parse("127.0.0.1:0")->to_sockaddr(any);
    REQUIRE(::bind(thief.get(), reinterpret_cast<sockaddr*>(&any), any_size) == 0);
    REQUIRE(::listen(thief.get(), 1) == 0);
    size = sizeof any;
    ::getsockname(thief.get(), reinterpret_cast<sockaddr*>(&any), &size);
    auto refused = open_sockets({compile::Transport::tcp, *Endpoint::from_sockaddr(any)}, 1);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().report().find("in use") != std::string::npos);
    CHECK(open_sockets({compile::Transport::udp, *Endpoint::parse("[::1]:0")}, 2).ok());
    CHECK(open_sockets({compile::Transport::tcp, *Endpoint::parse("192.0.2.200:0")}, 1).ok());  // not ours yet
}

TEST_CASE("sockets: names are read strictly") {
    CHECK(parse_socket_name("udp/[2001:db8::1]:53")->endpoint.port == 53);
    for (const char* name : {"", "tcp/", "sctp/1.2.3.4:1", "tcp/1.2.3.4", "tcp1.2.3.4:1"}) {
        INFO(name);
        CHECK_FALSE(parse_socket_name(name).ok());
    }
}
