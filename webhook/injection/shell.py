"""Splits shell scripts into their commands, without running anything.

Quoted text stays within its word, a here-document stays with its command, comments and redirections
are left out. Commands within subshells and substitutions are commands, too. What a shell would
reject is split all the same.
"""

import re
from typing import Final

from msgspec import Struct, field

# Together, the groups of each match any character.
_COMMON = r"""
    | (?P<number>    \$?\(\((?:[^()\n]|\([^()\n]{0,100}\)){0,200}\)\) )
    | (?P<open>      \$\( )
    | (?P<backtick>  ` )
    | (?P<quote>     " )
"""
_TOKEN = re.compile(
    rf"""
      (?P<blank>     (?:[ \t\r]+|\\\n)+ )
    | (?P<text>      [^ \t\r\n\\'"$<>()`;&|\#]+ )
    | (?P<newline>   \n )
    | (?P<separator> ;+&? | &&?(?!>) | \|[|&]? )
    {_COMMON}
    | (?P<group>     [<>]?\( )
    | (?P<close>     \) )
    | (?P<literal>   '[^']*'? | \$'[^'\\]*(?:\\.[^'\\]*)*'? | \\. )
    | (?P<document>  <<-?(?!<)[ \t]*(?:'[^'\n]*'|"[^"\n]*"|[^ \t\r\n;&|<>()'"]+) )
    | (?P<redirect>  &?[<>]+[&|]? )
    | (?P<hash>      \# )
    | (?P<other>     . )
    """,
    re.VERBOSE | re.DOTALL,
)
_QUOTED_TOKEN = re.compile(
    rf"""
      (?P<text>      [^\\"$`]+ )
    {_COMMON}
    | (?P<escape>    \\. )
    | (?P<other>     . )
    """,
    re.VERBOSE | re.DOTALL,
)
_LINE = re.compile(r"(.*)\n?")
_LENGTH_MAX = 131_071  # characters; the kernel takes no longer argument (binfmts.h)
_ARRAY: Final = "=("
_LOOKUPS: Final = (["which"], ["command", "-v"], ["type", "-p"], ["type", "-P"])
# Words of the shell that may stand before [[.
_KEYWORDS = frozenset(("!", "{", "do", "elif", "else", "if", "then", "until", "while"))


class Command(Struct):
    """A command of a script.

    Attributes:
        words: its words, without quotes. Keywords of the shell are words, too: `if`, `then`, `{`.
            A program's output is unknown and stands as an empty text, except that of `which NAME`,
            which stands as NAME, and of `cat` with a here-document.
        standard_input: a here-document or here-string.
        source: the command whose output is piped into this one.
    """

    words: list[str] = field(default_factory=list)
    standard_input: str = ""
    source: "Command | None" = None


class Effort(Struct):
    """Bounds the time that is spent on scripts.

    Attributes:
        tokens: how many are still read, at about a microsecond each.
    """

    tokens: int


def split_commands(script: str, effort: Effort) -> list[Command]:
    """Return the commands of a script of sh or bash, in the order in which they end.

    What is left of the script when the effort is spent is not read.
    """
    return _Reader(script, effort).read()


class _Level:
    """A script, subshell or substitution that is being read."""

    def __init__(self, opened_by: str = "") -> None:
        self.opened_by = opened_by
        self.command = Command()
        self.previous = self.command
        self.pieces: list[str] = []  # of the current word
        self.redirection = ""  # of which the current word is the target
        self.is_quoted = False
        self.is_pattern = False  # of case
        self.is_condition = False  # within [[ ]]

    def end_word(self) -> None:
        if not self.pieces:
            return
        word, words = "".join(self.pieces), self.command.words
        self.pieces = []
        if self.redirection:
            if self.redirection == "<<<":
                self.command.standard_input = word
            self.redirection = ""
            return
        if word == "[[" and _KEYWORDS.issuperset(words):
            self.is_condition = True
        elif word == "]]":
            self.is_condition = False
        elif word == "in" and words[-2:-1] == ["case"]:
            self.is_pattern = True
        elif word == "esac":
            self.is_pattern = False
        words.append(word)


class _Reader:
    """Reads one script: each token calls the method that its group is named after."""

    def __init__(self, script: str, effort: Effort) -> None:
        self.script = script[:_LENGTH_MAX]
        self.effort = effort
        self.position = 0
        self.level = _Level()
        self.outer: list[_Level] = []
        self.documents: list[tuple[Command, str, bool]] = []  # their bodies follow the line
        self.commands: list[Command] = []

    def read(self) -> list[Command]:
        while match := self.match(_QUOTED_TOKEN if self.level.is_quoted else _TOKEN):
            self.position = match.end()
            getattr(self, f"on_{match.lastgroup}")(match[0])
        while self.outer:
            self.leave()
        self.end_command()
        return self.commands

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        self.effort.tokens -= 1
        return pattern.match(self.script, self.position) if self.effort.tokens >= 0 else None

    def end_command(self) -> None:
        level = self.level
        level.end_word()
        command, level.command = level.command, Command()
        level.is_condition, level.redirection = False, ""
        if command.words and not level.is_pattern:
            level.previous = command
            if level.opened_by != _ARRAY:
                self.commands.append(command)

    def leave(self) -> None:
        self.end_command()
        last, opened_by = self.level.previous, self.level.opened_by
        self.level = self.outer.pop()
        if opened_by == _ARRAY:
            self.on_text(" ".join(last.words))
        elif opened_by != "(":
            output = last.standard_input if last.words == ["cat"] else ""
            self.on_text(last.words[-1] if last.words[:-1] in _LOOKUPS else output)

    def on_blank(self, _: str) -> None:
        self.level.end_word()

    def on_text(self, text: str) -> None:
        self.level.pieces.append(text)

    on_other = on_text

    def on_number(self, _: str) -> None:
        self.on_text("0")

    def on_literal(self, text: str) -> None:
        self.on_text(text[1:] if text[0] == "\\" else text.removeprefix("$").strip("'"))

    def on_escape(self, text: str) -> None:
        if text[1] in '$`"\\':
            self.on_text(text[1])
        elif text[1] != "\n":
            self.on_text(text)

    def on_quote(self, _: str) -> None:
        self.level.is_quoted = not self.level.is_quoted
        self.on_text("")

    def on_hash(self, text: str) -> None:
        if self.level.pieces:
            self.on_text(text)
        else:  # a comment
            end = self.script.find("\n", self.position)
            self.position = end if end >= 0 else len(self.script)

    def on_separator(self, text: str) -> None:
        self.level.end_word()
        if self.level.is_condition:
            return
        self.end_command()
        if text in ("|", "|&"):
            self.level.command.source = self.level.previous
        elif text in (";;", ";&", ";;&"):
            self.level.is_pattern = True

    def on_newline(self, _: str) -> None:
        self.level.end_word()
        is_pipe = self.level.command.source is not None and not self.level.command.words
        if not (self.level.is_condition or is_pipe):
            self.end_command()
        for command, end, is_indented in self.documents:
            start = self.position
            while line := self.match(_LINE):
                self.position = line.end()
                text = line[1].removesuffix("\r")
                if (text.lstrip("\t") if is_indented else text) == end or not line[0]:
                    command.standard_input = self.script[start : line.start()]
                    break
        self.documents = []

    def on_group(self, text: str) -> None:
        if text == "(":
            if self.level.is_condition or self.level.is_pattern:
                return
            if self.level.pieces and self.level.pieces[-1].endswith("="):
                text = _ARRAY
            elif self.script.startswith(")", self.position):  # the definition of a function
                self.level.pieces = []
                self.level.command = Command()
            else:
                self.end_command()
        self.on_open(text)

    def on_open(self, text: str) -> None:
        self.outer.append(self.level)
        self.level = _Level(text)

    def on_backtick(self, text: str) -> None:
        if self.level.opened_by == text:
            self.leave()
        else:
            self.on_open(text)

    def on_close(self, _: str) -> None:
        level = self.level
        level.end_word()
        if level.is_condition:
            return
        if level.is_pattern or level.opened_by in ("", "`"):
            level.is_pattern = True
            self.end_command()
            level.is_pattern = False
        else:
            self.leave()

    def on_document(self, text: str) -> None:
        self.end_word_before_redirection()
        end = text.lstrip("<").removeprefix("-").strip(" \t\\'\"")
        self.documents.append((self.level.command, end, text.startswith("<<-")))

    def on_redirect(self, text: str) -> None:
        self.end_word_before_redirection()
        self.level.redirection = text

    def end_word_before_redirection(self) -> None:
        if "".join(self.level.pieces).isdigit():  # a file descriptor
            self.level.pieces = []
        self.level.end_word()
