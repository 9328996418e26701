// SPDX-License-Identifier: Apache-2.0
// Where decoding stands and whom it tells: At is one step of a path ("listeners", "[1]"), Context the object's diagnostics. Internal to the model.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/model/decode.hpp"
#include "ctl/model/value.hpp"

namespace penstock::model {

class Context {
public:
    Context(std::string file, std::vector<Diagnostic>& diagnostics) : file_(std::move(file)), diagnostics_(&diagnostics) {}

    // What later diagnostics name.
    void set_object(std::string kind, std::string ns, std::string name);
    std::string api_version;  // "v1", of the document

    void tell(Severity severity, std::string path, int line, std::string message);
    [[nodiscard]] std::size_t errors() const { return errors_; }
    // Of those errors the ones that leave a value unknown: what follows from it cannot be told.
    [[nodiscard]] std::size_t unread() const { return unread_; }
    void note_unread() { ++unread_; }

private:
    static constexpr std::size_t kTellMax = 200;  // of one object: a broken generator must not fill the log

    std::string file_;
    std::string kind_;
    std::string ns_;
    std::string name_;
    std::vector<Diagnostic>* diagnostics_;
    std::size_t errors_ = 0;
    std::size_t unread_ = 0;
    std::size_t told_ = 0;
};

// A place in the object. Lives on the stack of the reader; `up` outlives it.
struct At {
    Context* context = nullptr;
    const At* up = nullptr;
    std::string_view name;  // "" with an index
    std::size_t index = 0;
    int line = 0;
    const Value* value = nullptr;  // what stands here, for the rules of an object

    [[nodiscard]] At member(std::string_view member_name, int at_line) const { return {context, this, member_name, 0, at_line}; }
    [[nodiscard]] At item(std::size_t item_index, int at_line) const { return {context, this, {}, item_index, at_line}; }
    // The same with the line where the text has it; without such a part, the line of the whole.
    [[nodiscard]] At member(std::string_view member_name) const {
        const Value* part = value != nullptr ? value->find(member_name) : nullptr;
        return {context, this, member_name, 0, part != nullptr ? part->line() : line, part};
    }
    [[nodiscard]] At item(std::size_t item_index) const {
        const Value* part = value != nullptr && item_index < value->items().size() ? &value->items()[item_index] : nullptr;
        return {context, this, {}, item_index, part != nullptr ? part->line() : line, part};
    }
    [[nodiscard]] std::string path() const;
    // An error that leaves the value unknown.
    void cannot_read(std::string message) const {
        context->note_unread();
        error(std::move(message));
    }
    void error(std::string message) const { context->tell(Severity::error, path(), line, std::move(message)); }
    void warning(std::string message) const { context->tell(Severity::warning, path(), line, std::move(message)); }
};

// A value of the user's inside of a message: quoted, cut, without control characters.
[[nodiscard]] std::string quoted(std::string_view text);

// "unknown field", with the known name that is closest, if one is.
[[nodiscard]] std::string unknown_field(std::string_view name, const std::vector<std::string_view>& known);

}  // namespace penstock::model
