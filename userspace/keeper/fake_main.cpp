// SPDX-License-Identifier: Apache-2.0
// Stands in for daemon and worker in keeper_test. As a daemon (`pst-keeper-fake daemon PATH`) it relays between the keeper and the
// test's seqpacket socket at PATH, so that the test itself plays the daemon. As a worker it takes every snapshot but that of the root
// "junk" and, once active, answers each connection with its pid; which items came with a snapshot it tells as parts that failed. Each
// access log that it is given hears of it. With PST_FAKE_DRAIN_S it lives so long once it drains, as if connections were open, and
// takes no more. `pst-keeper-fake crash` ends at once.
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "schema/keeper.hpp"
#include "schema/keeper_wire.hpp"
#include "userspace/base/channel.hpp"

using namespace penstock;
using namespace penstock::keeper;

namespace {

int keeper_fd() {
    const char* text = std::getenv(kKeeperFdEnv);
    return text != nullptr ? std::atoi(text) : -1;
}

bool pass_on(int from, int to) {
    auto received = channel_receive(from);
    if (!received.ok()) {
        return false;
    }
    std::vector<int> fds;
    for (const Fd& fd : received->fds) {
        fds.push_back(fd.get());
    }
    return channel_send(to, received->bytes, fds).ok();
}

int relay(const char* path) {
    const Fd test(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    if (::connect(test.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return 1;
    }
    pollfd polled[] = {{keeper_fd(), POLLIN, 0}, {test.get(), POLLIN, 0}};
    while (::poll(polled, 2, 60'000) > 0) {
        if ((polled[0].revents != 0 && !pass_on(polled[0].fd, polled[1].fd)) || (polled[1].revents != 0 && !pass_on(polled[1].fd, polled[0].fd))) {
            return 1;  // as a crash does
        }
    }
    return 1;
}

std::string text_in(const Fd& file) {
    std::string text(64, '\0');
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::pread(file.get(), text.data(), text.size(), 0))));
    return text;
}

struct FakeWorker {
    std::map<std::string, std::vector<Fd>> sockets;
    bool active = false;

    void answer(int listener) const {
        const Fd client(::accept(listener, nullptr, nullptr));
        const std::string text = std::to_string(::getpid()) + " uid " + std::to_string(::getuid());
        [[maybe_unused]] const ssize_t sent = ::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL);
    }
    // False: end.
    bool take(ChannelMessage received) {
        auto message = decode(received.bytes);
        if (const PutT* put = message->body.AsPut(); put != nullptr && put->kind == ItemKind::Socket) {
            sockets[put->name] = std::move(received.fds);
        } else if (put != nullptr && put->kind == ItemKind::AccessLog) {
            const std::string line = std::to_string(::getpid()) + "\n";
            return ::write(received.fds.at(0).get(), line.data(), line.size()) > 0;
        } else if (const DropT* drop = message->body.AsDrop()) {
            sockets.erase(drop->name);
        } else if (const PublishT* publish = message->body.AsPublish()) {
            TakenT taken;
            taken.generation = publish->generation;
            taken.refused = publish->root == "junk" ? "it is junk" : "";
            for (std::size_t i = 0; i < publish->brings.size(); ++i) {
                auto brought = std::make_unique<FailedPartT>();
                brought->part = publish->brings[i]->name;
                brought->reason = text_in(received.fds.at(i));
                taken.failed.push_back(std::move(brought));
            }
            return channel_send(keeper_fd(), encode(taken)).ok();
        } else if (message->body.type == Body::Activate) {
            active = true;
        }
        if (const char* lasts = std::getenv("PST_FAKE_DRAIN_S"); lasts != nullptr && message->body.type == Body::Drain) {
            sockets.clear();
            ::sleep(static_cast<unsigned>(std::atoi(lasts)));
        }
        return message->body.type != Body::Drain;
    }
};

int work() {
    FakeWorker worker;
    HelloT hello;
    hello.role = "worker";
    AboutT about;
    about.ring = "none";
    about.unconfined = "it is a fake";
    if (!channel_send(keeper_fd(), encode(hello)).ok() || !channel_send(keeper_fd(), encode(about)).ok()) {
        return 1;
    }
    for (;;) {
        std::vector<pollfd> polled = {{keeper_fd(), POLLIN, 0}};
        for (const auto& [name, fds] : worker.sockets) {
            if (worker.active) {
                polled.push_back({fds.front().get(), POLLIN, 0});
            }
        }
        ::poll(polled.data(), polled.size(), -1);
        for (std::size_t i = 1; i < polled.size(); ++i) {
            if (polled[i].revents != 0) {
                worker.answer(polled[i].fd);
            }
        }
        if (polled[0].revents != 0) {
            auto received = channel_receive(keeper_fd());
            if (!received.ok() || !worker.take(std::move(received).value())) {
                return 0;
            }
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc >= 3 && std::strcmp(argv[1], "daemon") == 0) {
        return relay(argv[2]);
    }
    if (argc >= 2 && std::strcmp(argv[1], "crash") == 0) {
        return std::atoi(argc >= 3 ? argv[2] : "1");
    }
    return work();
}
