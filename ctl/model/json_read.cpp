// SPDX-License-Identifier: Apache-2.0
// Reading JSON by nlohmann's events. They carry no position, so the text is handed out by an iterator that counts lines.
#include <iterator>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "ctl/model/text_read.hpp"
#include "ctl/model/tree_builder.hpp"

namespace penstock::model {
namespace {

struct Position {
    int line = 1;       // of the byte that was handed out last
    bool ended = false; // that byte was a line's end
};

class CountingIterator {
public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    CountingIterator(const char* at, Position* position) : at_(at), position_(position) {}
    reference operator*() const {
        return *at_;
    }
    CountingIterator& operator++() {
        position_->line += position_->ended ? 1 : 0;
        position_->ended = *at_ == '\n';
        ++at_;
        return *this;
    }
    CountingIterator operator++(int) {
        CountingIterator before = *this;
        ++*this;
        return before;
    }
    bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
    bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

private:
    const char* at_;
    Position* position_;
};

class JsonBuilder : public nlohmann::json_sax<nlohmann::json> {
public:
    JsonBuilder(const TextLimits& limits, const Position& position) : tree(limits), position_(&position), leave_out_(limits.leave_out) {}

    bool null() override { return put(Value::null(line())); }
    bool boolean(bool value) override { return put(Value::boolean(value, line())); }
    bool number_integer(number_integer_t value) override { return put(Value::integer(value, line())); }
    bool number_unsigned(number_unsigned_t value) override {
        constexpr auto kMax = static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max());
        return put(value <= kMax ? Value::integer(static_cast<std::int64_t>(value), line())
                                 : Value::number(static_cast<double>(value), line()));
    }
    bool number_float(number_float_t value, const string_t& /*text*/) override { return put(Value::number(value, line())); }
    bool string(string_t& value) override { return put(Value::string(value, line())); }
    bool binary(binary_t& /*value*/) override { return false; }
    bool start_object(std::size_t /*size*/) override { return begin(true); }
    bool start_array(std::size_t /*size*/) override { return begin(false); }
    bool end_object() override { return end(); }
    bool end_array() override { return end(); }
    bool key(string_t& name) override {
        if (skipped_ == 0) {
            held_ = !leave_out_.empty() && name == leave_out_;
            if (!held_) {
                tree.name(name, line());
            }
        }
        return !tree.failed();
    }
    bool parse_error(std::size_t /*at*/, const std::string& /*token*/, const nlohmann::detail::exception& /*fault*/) override {
        tree.fail(line(), "not JSON");  // the library's own text quotes the input
        return false;
    }

    TreeBuilder tree;

private:
    [[nodiscard]] int line() const { return position_->line; }
    bool put(Value value) {
        if (skipped_ == 0) {
            give_name();
            tree.put(std::move(value));
        }
        return !tree.failed();
    }
    bool begin(bool object) {
        if (skipped_ != 0 || (held_ && !object)) {
            held_ = false;
            skipped_ += 1;
            return true;
        }
        give_name();
        tree.begin(object, line());
        return !tree.failed();
    }
    bool end() {
        if (skipped_ != 0) {
            skipped_ -= 1;
            return true;
        }
        tree.end();
        return !tree.failed();
    }
    // The name was one to leave out, and no array follows.
    void give_name() {
        if (std::exchange(held_, false)) {
            tree.name(std::string(leave_out_), line());
        }
    }

    const Position* position_;
    std::string_view leave_out_;
    bool held_ = false;         // the name that was read is the one to leave out, and the tree does not know of it yet
    std::size_t skipped_ = 0;   // arrays and objects that are open, from the one left out inwards
};

}  // namespace

Document read_json(std::string_view text, int first_line, const TextLimits& limits) {
    Position position{first_line, false};
    JsonBuilder builder(limits, position);
    const CountingIterator begin(text.data(), &position);
    const CountingIterator end(text.data() + text.size(), &position);
    const bool good = nlohmann::json::sax_parse(begin, end, &builder);
    Document document{builder.tree.root().value_or(Value()), first_line, {}};
    if (builder.tree.fault()) {
        document.faults.push_back(*builder.tree.fault());
    } else if (!good) {
        document.faults.push_back({position.line, "not JSON"});
    }
    return document;
}

}  // namespace penstock::model
