// SPDX-License-Identifier: Apache-2.0
// The state of streams and connected datagram sockets, as both engines report to it: inbox, who is told, deadlines, lifetime.
#include <fcntl.h>

#include <cstring>

#include "userspace/ring/state.hpp"

namespace penstock::ring {

namespace {

constexpr unsigned kStreaming = 8;  // buffers filled in a row: whoever sends that much sends more

DatagramHeader header_of(const BufferPool& pool, std::uint16_t id) {
    DatagramHeader header;
    std::memcpy(&header, pool.data(id), sizeof header);
    return header;
}

}  // namespace

void ReceiveState::arrived(std::uint16_t id, std::size_t size) {
    if (closed) {
        pool->give(id);
        return;
    }
    if (records && size == kRecordHead && header_of(*pool, id).control_size == 0) {
        pool->give(id);
        end(0);
        return;
    }
    inbox.push(*pool, id, size);
    measure(size);
    notify();
    const unsigned limit = pool->pressed() ? 1 : loop.options().inbox_buffers;
    if (inbox.count() >= limit && armed && !pausing && !someone_waits()) {
        Internals::counters(loop).receive_pauses++;
        Internals::engine(loop).pause(*this);
    } else if (streaming() && armed && !pausing && !in_bulk()) {
        Internals::engine(loop).pause(*this);  // the next receive is a large one
    }
}

// A stream that fills one small buffer after the other gets large ones, which leave in fewer and larger sends, until it has little to say.
void ReceiveState::measure(std::size_t size) {
    if (!may_stream() || (in_bulk() ? size <= loop.options().buffer_bytes : size != pool->buffer_bytes())) {
        full = 0;
    } else if (!streaming()) {
        ++full;
    }
}

bool ReceiveState::streaming() const { return full == kStreaming; }

bool ReceiveState::in_bulk() const { return pool == &Internals::bulk_pool(loop); }

void ReceiveState::choose_pool() {
    if (!datagram && inbox.empty()) {
        BufferPool& bulk = Internals::bulk_pool(loop);
        pool = streaming() && may_stream() && bulk.available() ? &bulk : &Internals::stream_pool(loop);
    }
}

void ReceiveState::end(int why) {
    if (!closed && !ended) {
        ended = true;
        error = why;
        notify();
    }
}

void ReceiveState::fail(int why) {
    if (!closed && !ended) {
        error = why;
        notify();
    }
}

void ReceiveState::revive() {
    if (wants()) {
        Internals::engine(loop).receive(*this);
        return;
    }
    pool->revive_another();  // this one does not need it any more
}

SocketState::SocketState(Loop& owner, BufferPool& buffers, int descriptor)
    : ReceiveState(owner, buffers, descriptor), deadline(*this) {}

SocketState::Deadline::Deadline(SocketState& owner)
    : Timer([](Timer& timer) { static_cast<Deadline&>(timer).socket.expire(); }), socket(owner) {}

void SocketState::notify() {
    if (reader != nullptr && reader->waiting()) {
        receive_until = kNever;
        reader->finish(0);
    } else if (hook != nullptr) {
        receive_until = kNever;
        std::exchange(hook, nullptr)->disturbed(ended ? error : 0);  // may close this socket
    }
}

void SocketState::sent(int why) {
    send_until = kNever;
    if (SendWait* wait = std::exchange(writer, nullptr)) {
        wait->finish(why);
    }
}

void SocketState::connected(int why) {
    send_until = kNever;
    connecting = false;
    if (ConnectWait* wait = std::exchange(connector, nullptr)) {
        wait->finish(why);
    }
}

Received SocketState::pop() {
    if (!unread.empty()) {
        return {std::move(unread), 0};
    }
    if (!inbox.empty()) {
        const std::uint8_t record = next_record();
        return {pop_inbox(), 0, record};
    }
    return {Buffer(), ended ? error : std::exchange(error, 0)};
}

Buffer SocketState::pop_inbox() {
    Buffer buffer = inbox.pop(*pool);
    if (datagram) {
        buffer.remove_prefix(sizeof(DatagramHeader));
    } else if (records) {
        buffer.remove_prefix(kRecordHead);
    }
    return buffer;
}

std::uint8_t SocketState::next_record() {
    if (!records || header_of(*pool, inbox.front()).control_size < CMSG_LEN(1)) {
        return 0;
    }
    return *CMSG_DATA(reinterpret_cast<cmsghdr*>(pool->data(inbox.front()) + sizeof(DatagramHeader)));
}

void SocketState::expire() {
    const Time now = loop.now();
    if (now >= send_until) {
        send_until = kNever;
        if (connector != nullptr) {
            connector->cancel(ETIMEDOUT);
        } else if (writer != nullptr) {
            writer->cancel(ETIMEDOUT);
        }
    }
    if (now >= receive_until) {
        receive_until = kNever;
        if (reader != nullptr) {
            reader->cancel(ETIMEDOUT);
        } else if (hook != nullptr) {
            std::exchange(hook, nullptr)->disturbed(ETIMEDOUT);
        }
    }
    const Time later = std::min(send_until, receive_until);
    if (!closed && later != kNever) {
        loop.timers().arm(deadline, later);
    }
}

void SocketState::close() {
    closed = true;
    loop.timers().disarm(deadline);
    unlink();
    hook = nullptr;
    unread.reset();
    inbox.clear(*pool);
    if (reader != nullptr) {
        std::exchange(reader, nullptr)->abandon();
    }
    if (writer != nullptr) {
        writer->cancel(ECANCELED);
    }
    for (ReadyWait* const wait : {ready_reader, ready_writer}) {
        if (wait != nullptr) {
            wait->cancel(ECANCELED);
        }
    }
    Internals::sockets(loop)--;
    if (accepted) {
        Internals::accepted(loop)--;
        Internals::resume_listeners(loop);
    }
    Internals::engine(loop).close(*this);
}

void SocketState::make_nonblocking() {
    if (!std::exchange(nonblocking, true)) {
        ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
}

}  // namespace penstock::ring
