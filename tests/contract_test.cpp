// SPDX-License-Identifier: MIT
// contract_test: what every loader backend must keep, run on each.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <autoreload/autoreload.hpp>
#include <cstring>
#include <type_traits>
#include <utility>

#include "fixtures.hpp"
#include "foo.h"

namespace {

using autoreload::error;
using autoreload::result;

struct foo_api {
  autoreload::required<::foo> foo;
  autoreload::optional<::bar> bar;
};

struct point;

struct greedy_api {
  autoreload::required<::foo> foo;
  autoreload::required_as<"draw", void(const point*, int (*)(const char*, ...))> draw;
  autoreload::optional_as<"not_there_either", int(void)> absent;
  autoreload::required_as<"limits", int[4]> limits;
};

struct libc_api {
  autoreload::required_as<"getpid", int()> getpid;
};

struct sparse_api {
  autoreload::required<::foo> foo;
  autoreload::optional<::bar> bar;
  autoreload::optional_as<"no_variadic", int(int, ...)> variadic;
  autoreload::optional_as<"no_variable", const int> variable;
  autoreload::optional_as<"no_record", std::pair<int, int>> record;
};

struct optional_data_api {
  autoreload::optional_as<"counter", int> counter;
  autoreload::optional_as<"sum", int(int, ...)> sum;
};

struct data_api {
  autoreload::required_as<"counter", int> counter;
  autoreload::required_as<"bump", void(int)> bump;
  autoreload::required_as<"sum", int(int, ...)> sum;
};

template <class Backend>
class LoaderBackend : public testing::Test {
 protected:
  template <class Api>
  using module = typename Backend::template module<Api>;

  static bool is_open(const char* path) {
    void* const handle = dlopen(path, RTLD_NOLOAD | RTLD_NOW);
    if (handle != nullptr) dlclose(handle);
    return handle != nullptr;
  }
};

// The build names all backends of this project. A backend of another project compiles this file with its own instead,
// and an -include of its header.
using backends = testing::Types<CONTRACT_BACKENDS>;

struct backend_name {
  template <class Backend>
  static std::string GetName(int) {
    return std::string(Backend::name);
  }
};

TYPED_TEST_SUITE(LoaderBackend, backends, backend_name);

TYPED_TEST(LoaderBackend, CallsRequiredAndOptionalFunctions) {
  auto loaded = TestFixture::template module<foo_api>::load(fixtures::with_bar, autoreload::default_load_flags);
  ASSERT_TRUE(loaded) << loaded.error().what();
  EXPECT_EQ(loaded->api().foo(), 5);
  ASSERT_TRUE(loaded->api().bar);
  EXPECT_EQ(loaded->api().bar(), 10);
}

TYPED_TEST(LoaderBackend, LeavesAnAbsentOptionalFunctionFalse) {
  auto loaded = TestFixture::template module<foo_api>::load(fixtures::plain, autoreload::default_load_flags);
  ASSERT_TRUE(loaded) << loaded.error().what();
  EXPECT_EQ(loaded->api().foo(), 4);
  EXPECT_FALSE(loaded->api().bar);
  EXPECT_EQ(loaded->api().bar.unsafe_address(), nullptr);
}

TYPED_TEST(LoaderBackend, ThrowsAtTheUseOfAnAbsentOptionalSymbol) {
  auto loaded = TestFixture::template module<sparse_api>::load(fixtures::plain, autoreload::default_load_flags);
  ASSERT_TRUE(loaded) << loaded.error().what();
  const sparse_api& api = loaded->api();
  try {
    api.bar();
    FAIL() << "the call returned";
  } catch (const error& failure) {
    EXPECT_EQ(failure.at(), autoreload::stage::use);
    EXPECT_NE(failure.reason().find("bar was used"), std::string::npos) << failure.what();
  }
  EXPECT_THROW(api.variadic(1, 2.5), error);
  EXPECT_FALSE(api.variadic);
  EXPECT_THROW((void)*api.variable, error);
  EXPECT_THROW((void)api.record->second, error);
  EXPECT_FALSE(api.variable);
  EXPECT_EQ(api.variable.unsafe_address(), nullptr);
}

TYPED_TEST(LoaderBackend, FindsOptionalVariablesAndVariadicFunctions) {
  auto loaded = TestFixture::template module<optional_data_api>::load(fixtures::data, autoreload::default_load_flags);
  ASSERT_TRUE(loaded) << loaded.error().what();
  ASSERT_TRUE(loaded->api().counter);
  EXPECT_EQ(*loaded->api().counter, 7);
  ASSERT_TRUE(loaded->api().sum);
  EXPECT_EQ(loaded->api().sum(2, 20, 30), 50);
}

TYPED_TEST(LoaderBackend, ReadsAndWritesVariablesAndCallsVariadicFunctions) {
  auto loaded = TestFixture::template module<data_api>::load(fixtures::data, autoreload::default_load_flags);
  ASSERT_TRUE(loaded) << loaded.error().what();
  const data_api& api = loaded->api();
  EXPECT_EQ(*api.counter, 7);
  api.bump(3);
  EXPECT_EQ(*api.counter, 10);
  *api.counter = 1;
  api.bump(1);
  EXPECT_EQ(*api.counter, 2);
  EXPECT_EQ(api.sum(3, 10, 20, 30), 60);
}

TYPED_TEST(LoaderBackend, NamesEveryMissingRequiredSymbolWithItsCType) {
  auto loaded = TestFixture::template module<greedy_api>::load(fixtures::plain, autoreload::default_load_flags);
  ASSERT_FALSE(loaded);
  const error& failure = loaded.error();
  EXPECT_EQ(failure.at(), autoreload::stage::load);
  EXPECT_EQ(failure.path(), fixtures::plain);
  ASSERT_EQ(failure.missing().size(), 2U);
  EXPECT_EQ(failure.missing()[0].name, "draw");
  EXPECT_NE(failure.missing()[0].type.find("void draw(const struct "), std::string::npos) << failure.missing()[0].type;
  EXPECT_NE(failure.missing()[0].type.find("point *, int (*)(const char *, ...))"), std::string::npos);
  EXPECT_EQ(failure.missing()[1].type, "int limits[4]");
  EXPECT_FALSE(TestFixture::is_open(fixtures::plain)) << "a failed load must leave nothing open";
}

TYPED_TEST(LoaderBackend, TellsDlerrorsWordsAboutAFileThatIsNoLibrary) {
  auto loaded = TestFixture::template module<foo_api>::load(fixtures::text, autoreload::default_load_flags);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().at(), autoreload::stage::load);
  EXPECT_EQ(loaded.error().path(), fixtures::text);
  EXPECT_NE(loaded.error().system().find("invalid ELF header"), std::string::npos) << loaded.error().what();
}

TYPED_TEST(LoaderBackend, TellsOfAFileThatIsNotThere) {
  auto loaded = TestFixture::template module<foo_api>::load("./no-such-library.so", autoreload::default_load_flags);
  ASSERT_FALSE(loaded);
  EXPECT_NE(loaded.error().system().find("No such file"), std::string::npos) << loaded.error().what();
}

TYPED_TEST(LoaderBackend, DoesNotTakeTheProgramItselfForALibraryWithoutAPath) {
  for (const char* const path : {static_cast<const char*>(nullptr), ""}) {
    auto loaded = TestFixture::template module<foo_api>::load(path, autoreload::default_load_flags);
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().at(), autoreload::stage::load);
    EXPECT_TRUE(loaded.error().missing().empty()) << loaded.error().what();
  }
}

TYPED_TEST(LoaderBackend, PassesTheFlagsOnToDlopen) {
  // In a child: asking RTLD_DEFAULT makes the whole program depend on what it finds, for good.
  using foo_module = typename TestFixture::template module<foo_api>;
  const auto is_global = [](int flags) {
    const auto loaded = foo_module::load(fixtures::with_bar, flags);
    return loaded && dlsym(RTLD_DEFAULT, "bar") != nullptr;
  };
  EXPECT_EXIT(_exit(is_global(RTLD_NOW | RTLD_LOCAL) ? 1 : 0), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(_exit(is_global(RTLD_NOW | RTLD_GLOBAL) ? 0 : 1), testing::ExitedWithCode(0), "");
}

TYPED_TEST(LoaderBackend, KeepsItsApiAtOneAddressWhenItIsMoved) {
  using foo_module = typename TestFixture::template module<foo_api>;
  auto loaded = foo_module::load(fixtures::plain, autoreload::default_load_flags);
  ASSERT_TRUE(loaded);
  const foo_api* const before = &loaded->api();
  foo_module moved = *std::move(loaded);
  EXPECT_EQ(&moved.api(), before);
  EXPECT_EQ(moved.api().foo(), 4);
}

TYPED_TEST(LoaderBackend, ClosesWhatAnAssignmentReplaces) {
  using foo_module = typename TestFixture::template module<foo_api>;
  foo_module held = foo_module::load(fixtures::plain, autoreload::default_load_flags).value();
  {
    foo_module other = foo_module::load(fixtures::with_bar, autoreload::default_load_flags).value();
    held = std::move(other);
  }
  EXPECT_EQ(held.api().foo(), 5);
  EXPECT_FALSE(TestFixture::is_open(fixtures::plain));
}

TYPED_TEST(LoaderBackend, UnloadsOnceWhenAskedAndNeverTwice) {
  auto loaded = TestFixture::template module<foo_api>::load(fixtures::plain, autoreload::default_load_flags);
  ASSERT_TRUE(loaded);
  EXPECT_NE(loaded->handle(), nullptr);
  EXPECT_TRUE(loaded->unload());
  EXPECT_EQ(loaded->handle(), nullptr);
  EXPECT_FALSE(TestFixture::is_open(fixtures::plain));
  EXPECT_TRUE(loaded->unload());
}

TYPED_TEST(LoaderBackend, TellsThatDlcloseRefused) {
  // The program itself needs libc, so it stays known to the loader when its handle is closed behind the module's back.
  using libc_module = typename TestFixture::template module<libc_api>;
  auto loaded = libc_module::load("libc.so.6", autoreload::default_load_flags);
  ASSERT_TRUE(loaded) << loaded.error().what();
  while (dlclose(loaded->handle()) == 0) {
  }
  (void)dlerror();
  const auto unloaded = loaded->unload();
  ASSERT_FALSE(unloaded);
  EXPECT_EQ(unloaded.error().at(), autoreload::stage::retire);
  EXPECT_NE(unloaded.error().system(), "");
  EXPECT_TRUE(loaded->unload()) << "it is no longer the module's";
}

TYPED_TEST(LoaderBackend, UnloadsWhenItIsDestroyed) {
  {
    auto loaded = TestFixture::template module<foo_api>::load(fixtures::plain, autoreload::default_load_flags);
    ASSERT_TRUE(loaded);
    EXPECT_TRUE(TestFixture::is_open(fixtures::plain));
  }
  EXPECT_FALSE(TestFixture::is_open(fixtures::plain));
}

// ---- what only one of them has

TEST(RawBackend, HandsOutAHandleThatItsCallerCloses) {
  auto handle = autoreload::raw::open(fixtures::plain);
  ASSERT_TRUE(handle);
  const auto foo = reinterpret_cast<std::int32_t (*)()>(autoreload::raw::find(*handle, "foo"));
  ASSERT_NE(foo, nullptr);
  EXPECT_EQ(foo(), 4);
  EXPECT_EQ(autoreload::raw::find(*handle, "no_such_symbol"), nullptr);
  EXPECT_TRUE(autoreload::raw::close(*handle, fixtures::plain));
}

TEST(RaiiBackend, ASymbolKeepsItsLibraryOpen) {
  auto library = autoreload::raii::library::open(fixtures::plain).value();
  auto foo = library.get<std::int32_t()>("foo").value();
  const auto closed = library.close();
  ASSERT_FALSE(closed);
  EXPECT_NE(std::strstr(closed.error().what(), "1 symbol(s) still hold the library open"), nullptr);
  EXPECT_EQ(foo(), 4) << "the library is closed for its owner, and still there for the symbol";
}

TEST(RaiiBackend, ClosesWhenTheLastSymbolGoes) {
  {
    auto foo = autoreload::raii::library::open(fixtures::plain).value().get<std::int32_t()>("foo").value();
    EXPECT_EQ(foo(), 4);
  }
  EXPECT_EQ(dlopen(fixtures::plain, RTLD_NOLOAD | RTLD_NOW), nullptr);
}

TEST(RaiiBackend, NamesTheMissingSymbolAndItsType) {
  auto library = autoreload::raii::library::open(fixtures::plain).value();
  auto symbol = library.get<double(double)>("cosine");
  ASSERT_FALSE(symbol);
  ASSERT_EQ(symbol.error().missing().size(), 1U);
  EXPECT_EQ(symbol.error().missing()[0].type, "double cosine(double)");
}

// ---- the struct

static_assert(autoreload::api_struct<foo_api>);
struct with_a_stranger {
  autoreload::required<::foo> foo;
  int stranger;
};
static_assert(!autoreload::api_struct<with_a_stranger>, "a struct with other members is no API struct");
static_assert(sizeof(foo_api) == 2 * sizeof(void*), "a field is one pointer");
static_assert(!std::is_copy_constructible_v<autoreload::required<::foo>> &&
                  !std::is_move_constructible_v<autoreload::required<::foo>>,
              "a field can't be taken out of its struct");
static_assert(!std::is_convertible_v<autoreload::required<::foo>, std::int32_t (*)()>, "nor can its pointer");

TEST(ApiStruct, ListsItsSymbolsInOrder) {
  const auto& symbols = autoreload::symbols_of<greedy_api>();
  ASSERT_EQ(symbols.size(), 4U);
  EXPECT_STREQ(symbols[0].name, "foo");
  EXPECT_TRUE(symbols[0].required);
  EXPECT_TRUE(symbols[0].function);
  EXPECT_STREQ(symbols[2].name, "not_there_either");
  EXPECT_FALSE(symbols[2].required);
  EXPECT_FALSE(symbols[3].function);
  EXPECT_EQ(symbols[3].size, 4 * sizeof(int));
}

TEST(ApiStruct, ThrowsAtACallWhenNothingIsLoaded) {
  const foo_api& api = autoreload::not_loaded_api<foo_api>();
  EXPECT_FALSE(api.bar);
  EXPECT_THROW(api.bar(), error);
  try {
    api.foo();
    FAIL() << "the call returned";
  } catch (const error& failure) {
    EXPECT_EQ(failure.at(), autoreload::stage::use);
    EXPECT_NE(failure.reason().find("foo was called"), std::string::npos);
  }
}

TEST(ApiStruct, ThrowsAtAVariableAndAVariadicFunctionWhenNothingIsLoaded) {
  const data_api& api = autoreload::not_loaded_api<data_api>();
  EXPECT_THROW((void)*api.counter, error);
  EXPECT_THROW(api.sum(1, 2), error);
}

// ---- its errors

TEST(Error, SaysStagePathReasonMissingSymbolsSystemTextAndAdvice) {
  const error failure = error(autoreload::stage::load, "libfoo.so", "required symbols are missing")
                            .missing({{"foo", "int foo(void)", "fooo"}, {"bar", "int bar(void)", ""}})
                            .system("the system's words")
                            .advise("define them");
  EXPECT_STREQ(failure.what(),
               "load: \"libfoo.so\": required symbols are missing\n"
               "  missing: int foo(void) (did you mean fooo?)\n"
               "  missing: int bar(void)\n"
               "  system: the system's words\n"
               "  advice: define them");
}

}  // namespace
