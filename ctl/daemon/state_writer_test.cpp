// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/state_writer.hpp"

#include <future>
#include <vector>

#include "tools/test/catch.hpp"
#include "tools/test/folder.hpp"
#include "userspace/base/files.hpp"

using namespace penstock;
using namespace penstock::daemon;

namespace {

StateWriter::Text text(std::string text) {
    return [text = std::move(text)] { return text; };
}

// A state folder of its own.
struct Folder {
    test::TestFolder folder;
    StateDir state = StateDir::open(folder.text()).value();

    [[nodiscard]] std::string content(const char* name) const { return read_file(state.file(name), 1 << 20).value_or(""); }
};

// Holds the thread up while it makes a text.
struct Gate {
    std::promise<void> entered, opened;
    StateWriter::Text text(std::string text) {
        return [this, text = std::move(text)] {
            entered.set_value();
            opened.get_future().wait();
            return text;
        };
    }
};

}  // namespace

TEST_CASE("state writer: what waits is written before the end, the newest of each file") {
    const Folder folder;
    const char* const a = "a";
    const char* const b = "b";
    Gate gate;
    std::vector<StateWriter::Done> told;
    {
        StateWriter writer(folder.state, [&](StateWriter::Done done, auto) { told.push_back(std::move(done)); });
        writer.later({{a, gate.text("1")}});
        gate.entered.get_future().wait();
        writer.later({{a, text("2")}, {b, text("1")}});
        writer.later({{a, text("3")}});
        gate.opened.set_value();
    }
    CHECK(folder.content(a) == "3");
    CHECK(folder.content(b) == "1");
    REQUIRE(told.size() == 1);
    CHECK(told[0].size() == 2);
    CHECK(told[0].at(a).ok());
    CHECK(told[0].at(b).ok());
}

TEST_CASE("state writer: what is written at once is not overtaken by what was asked for before") {
    const Folder folder;
    const char* const a = "a";
    const char* const b = "b";
    Gate gate;
    std::vector<StateWriter::Done> told;
    StateWriter writer(folder.state, [&](StateWriter::Done done, auto) { told.push_back(std::move(done)); });
    writer.later({{a, gate.text("old")}, {b, text("old")}});
    gate.entered.get_future().wait();
    CHECK(writer.now(b, "new").ok());  // the other file is on its way: it does not wait for that
    CHECK(folder.content(b) == "new");
    auto same = std::async(std::launch::async, [&] { return writer.now(a, "new"); });
    CHECK(same.wait_for(std::chrono::milliseconds(50)) == std::future_status::timeout);
    gate.opened.set_value();
    CHECK(same.get().ok());
    writer.finish();
    CHECK(folder.content(a) == "new");
    CHECK(folder.content(b) == "new");
}

TEST_CASE("state writer: what became of an older text is not told after a newer one was written at once") {
    const Folder folder;
    const char* const a = "a";
    const char* const b = "b";
    Gate gate;
    std::vector<StateWriter::Done> told;
    StateWriter writer(folder.state, [&](StateWriter::Done done, auto) { told.push_back(std::move(done)); });
    writer.later({{a, text("old")}, {b, gate.text("1")}});
    gate.entered.get_future().wait();  // a is written, and not told
    CHECK(writer.now(a, "new").ok());
    gate.opened.set_value();
    writer.finish();
    REQUIRE(told.size() == 1);
    CHECK(told[0].size() == 1);
    CHECK(told[0].contains(b));
}

TEST_CASE("state writer: what cannot be written is told, and the rest is written") {
    const Folder folder;
    const char* const bad = "absent/a";
    const char* const good = "b";
    StateWriter::Done told;
    StateWriter writer(folder.state, [&](StateWriter::Done done, auto) { told = std::move(done); });
    writer.later({{bad, text("1")}, {good, text("1")}});
    writer.finish();
    REQUIRE(told.size() == 2);
    CHECK_FALSE(told.at(bad).ok());
    CHECK(folder.content(good) == "1");
}
