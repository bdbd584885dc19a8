"""The cells of the differential test: AT&T lines by mnemonic, operand size and addressing form.

Addresses: a data window at DATA, reached through rbx (base) and rsi (index); rsp stands in the middle of the stack."""
import subprocess
import tempfile

DATA = 0x10000
CODE = 0x1000
SUFFIX = {1: "b", 2: "w", 4: "l", 8: "q"}
AX = {1: "al", 2: "ax", 4: "eax", 8: "rax"}
DX = {1: "dl", 2: "dx", 4: "edx", 8: "rdx"}
CX = {1: "cl", 2: "cx", 4: "ecx", 8: "rcx"}
CONDITIONS = "o no b ae e ne be a s ns p np l ge le g".split()


class Cell:
    """One line, and how its inputs are chosen."""

    def __init__(self, mode, mnemonic, size, form, text, **kind):
        self.mode, self.mnemonic, self.size, self.form, self.text = mode, mnemonic, size, form, text
        self.memory = kind.get("memory", False)
        self.string = kind.get("string", False)  # rsi and rdi are addresses, rcx is a count
        self.bits = kind.get("bits", False)  # a register is a bit's number: it must stay in the window
        self.branch = kind.get("branch", False)  # one step, wherever it leads
        self.stack = kind.get("stack", False)
        self.divides = kind.get("divides", False)
        self.target = kind.get("target", False)  # rax is an address in the code page
        self.code = b""

    @property
    def name(self):
        return f"{self.mode} {self.mnemonic} {self.size * 8} {self.form}"


def memory_forms(mode):
    r = "r" if mode == "x86_64" else "e"
    forms = {
        "base": f"(%{r}bx)",
        "base+disp8": f"0x10(%{r}bx)",
        "base+disp32": f"-0x12340(%{r}bx)",
        "base+index*4+disp": f"8(%{r}bx,%{r}si,4)",
        "index*8+disp32": f"0x10000(,%{r}si,8)",
        "absolute": "0x10020",
    }
    if mode == "x86_64":
        forms["rip"] = "0xf000(%rip)"
        forms["base32"] = "4(%ebx)"
        forms["gs:base"] = "%gs:(%rbx)"
    return forms


def sizes(mode, least=1):
    return [s for s in (1, 2, 4, 8) if s >= least and (s < 8 or mode == "x86_64")]


def cells(mode):
    """Every cell of one mode."""
    result = []

    def add(mnemonic, size, form, text, **kind):
        result.append(Cell(mode, mnemonic, size, form, text, **kind))

    memory = memory_forms(mode)
    for name in "add or adc sbb and sub xor cmp test mov xchg cmpxchg xadd".split():
        for s in sizes(mode):
            x = SUFFIX[s]
            add(name, s, "reg,reg", f"{name} %{DX[s]}, %{AX[s]}")
            add(name, s, "same", f"{name} %{CX[s]}, %{CX[s]}")
            if s == 1:
                add(name, s, "high,reg", f"{name} %dh, %al")
                add(name, s, "reg,high", f"{name} %al, %ch")
            if mode == "x86_64":
                r = {1: ("r9b", "sil"), 2: ("r9w", "r14w"), 4: ("r9d", "r14d"), 8: ("r9", "r14")}[s]
                add(name, s, "reg8-15", f"{name} %{r[0]}, %{r[1]}")
            if name not in ("xchg", "cmpxchg", "xadd"):
                add(name, s, "imm8,reg", f"{name} $0x5b, %{CX[s]}")
                add(name, s, "imm,acc", f"{name} $-0x42, %{AX[s]}")
                if s > 1:
                    big = 0x7fe9 if s == 2 else 0x76543210
                    add(name, s, "imm32,reg", f"{name} ${big}, %{CX[s]}")
            for form, text in memory.items():
                add(name, s, f"reg,{form}", f"{name} %{DX[s]}, {text}", memory=True)
                if name not in ("xchg", "cmpxchg", "xadd", "test"):
                    add(name, s, f"{form},reg", f"{name} {text}, %{DX[s]}", memory=True)
                if name not in ("xchg", "cmpxchg", "xadd") and form in ("base", "base+index*4+disp"):
                    add(name, s, f"imm,{form}", f"{name}{x} $0x35, {text}", memory=True)
            if name in ("add", "or", "adc", "sbb", "and", "sub", "xor", "cmpxchg", "xadd"):
                add("lock " + name, s, "reg,base", f"lock {name} %{DX[s]}, (%{'r' if mode == 'x86_64' else 'e'}bx)",
                    memory=True)
    for name in "inc dec not neg mul imul div idiv".split():
        divides = name in ("div", "idiv")
        for s in sizes(mode):
            add(name, s, "reg", f"{name} %{CX[s]}", divides=divides)
            if s == 1:
                add(name, s, "high", f"{name} %ch", divides=divides)
            for form, text in memory.items():
                add(name, s, form, f"{name}{SUFFIX[s]} {text}", memory=True, divides=divides)
    for name in "shl shr sar rol ror rcl rcr".split():
        for s in sizes(mode):
            for count in ("$1", "$5", "$31", "%cl"):
                add(name, s, f"{count},reg", f"{name} {count}, %{DX[s]}")
            for form, text in memory.items():
                add(name, s, f"$3,{form}", f"{name}{SUFFIX[s]} $3, {text}", memory=True)
                add(name, s, f"cl,{form}", f"{name}{SUFFIX[s]} %cl, {text}", memory=True)
    more_cells(mode, memory, add)
    control_cells(mode, add)
    return result


def more_cells(mode, memory, add):
    r = "r" if mode == "x86_64" else "e"
    for s in sizes(mode, 2):
        x = SUFFIX[s]
        if s > 2:  # of 16 bits with a count above 16 the result is undefined
            for name in ("shld", "shrd"):
                for count in ("$1", "$7", "%cl"):
                    add(name, s, f"{count},reg", f"{name} {count}, %{DX[s]}, %{AX[s]}")
                    add(name, s, f"{count},base", f"{name} {count}, %{DX[s]}, (%{r}bx)", memory=True)
        for name in ("bt", "bts", "btr", "btc"):
            add(name, s, "reg,reg", f"{name} %{DX[s]}, %{AX[s]}")
            add(name, s, "imm,reg", f"{name} $13, %{AX[s]}")
            for form, text in memory.items():
                add(name, s, f"imm,{form}", f"{name}{x} $9, {text}", memory=True)
                add(name, s, f"reg,{form}", f"{name} %{DX[s]}, {text}", memory=True, bits=True)
            if name != "bt":
                add("lock " + name, s, "reg,base", f"lock {name} %{DX[s]}, (%{r}bx)", memory=True, bits=True)
        for name in ("bsf", "bsr", "popcnt", "tzcnt", "lzcnt"):
            add(name, s, "reg,reg", f"{name} %{DX[s]}, %{AX[s]}")
            for form, text in memory.items():
                add(name, s, f"{form},reg", f"{name} {text}, %{AX[s]}", memory=True)
        add("imul", s, "reg,reg", f"imul %{DX[s]}, %{AX[s]}")
        add("imul", s, "imm,reg,reg", f"imul $-0x37, %{DX[s]}, %{AX[s]}")
        for form, text in memory.items():
            add("imul", s, f"{form},reg", f"imul {text}, %{AX[s]}", memory=True)
            add("imul", s, f"imm,{form},reg", f"imul $0x1234, {text}, %{AX[s]}", memory=True)
            if ":" not in text:
                add("lea", s, form, f"lea {text}, %{AX[s]}")
        for source in (1, 2):
            if source < s:
                for name in ("movz", "movs"):
                    word = f"{name}{SUFFIX[source]}{x}"
                    add(word, s, "reg,reg", f"{word} %{DX[source]}, %{AX[s]}")
                    for form, text in memory.items():
                        add(word, s, f"{form},reg", f"{word} {text}, %{AX[s]}", memory=True)
        for c in CONDITIONS:
            add(f"cmov{c}", s, "reg,reg", f"cmov{c} %{DX[s]}, %{AX[s]}")
            add(f"cmov{c}", s, "base,reg", f"cmov{c} (%{r}bx), %{AX[s]}", memory=True)
    for s in sizes(mode, 4):
        add("bswap", s, "reg", f"bswap %{CX[s]}")
    if mode == "x86_64":
        add("movslq", 8, "reg,reg", "movslq %edx, %rax")
        for form, text in memory.items():
            add("movslq", 8, f"{form},reg", f"movslq {text}, %rax", memory=True)
        add("movabs", 8, "imm", "movabs $0x8123456789abcdef, %r9")
        for text in ("cltq", "cqto"):
            add(text, 8, "none", text)
        add("cmpxchg16b", 16, "base", "lock cmpxchg16b (%rbx)", memory=True)
    else:
        for text in ("aaa", "aas", "daa", "das", "aam", "aad"):
            add(text, 1, "none", text)
    for text in ("cwtl", "cltd", "cbtw", "cwtd", "clc", "stc", "cmc", "cld", "std", "lahf", "sahf", "nop"):
        add(text, 0, "none", text)
    add("cmpxchg8b", 8, "base", f"lock cmpxchg8b (%{r}bx)", memory=True)
    for c in CONDITIONS:
        add(f"set{c}", 1, "reg", f"set{c} %dl")
        add(f"set{c}", 1, "base", f"set{c} (%{r}bx)", memory=True)
    for s in sizes(mode):
        x = SUFFIX[s]
        for name in ("movs", "stos", "lods", "scas", "cmps"):
            add(name, s, "once", name + x, string=True)
        for name in ("movs", "stos", "lods"):
            add(name, s, "rep", f"rep {name}{x}", string=True)
        for name in ("scas", "cmps"):
            add(name, s, "repe", f"repe {name}{x}", string=True)
            add(name, s, "repne", f"repne {name}{x}", string=True)


def control_cells(mode, add):
    r = "r" if mode == "x86_64" else "e"
    word = 8 if mode == "x86_64" else 4
    for c in CONDITIONS:
        add(f"j{c}", 0, "rel8", f"j{c} .+0x20", branch=True)
        add(f"j{c}", 0, "rel32", f"j{c} .+0x300", branch=True)
    for text in ("loop .+0x10", "loope .+0x10", "loopne .+0x10", f"j{r}cxz .+0x10"):
        add(text.split()[0], 0, "rel8", text, branch=True)
    for text in ("jmp .+0x20", "jmp .+0x300", "call .+0x300"):
        add(text.split()[0], 0, "rel" + text[-4:], text, branch=True)
    for name in ("jmp", "call"):
        add(name, word, "reg", f"{name} *%{r}ax", branch=True, target=True)
    for register in ("ax", "bp", "sp", "di"):
        add("push", word, register, f"push %{r}{register}", stack=True)
        add("pop", word, register, f"pop %{r}{register}", stack=True)
    for text in ("pushw %dx", "popw %dx", "push $-5", "push $0x12345678", "pushw $0x1234", "leave",
                 "pushf", "pushfw"):
        add(text.split()[0], word, text.split()[-1], text, stack=True)
    add("push", word, "base", f"push (%{r}bx)", memory=True, stack=True)
    add("pop", word, "base", f"pop (%{r}bx)", memory=True, stack=True)
    add("push", word, "stack", f"push 8(%{r}sp)", stack=True)
    add("pop", word, "stack", f"pop 8(%{r}sp)", stack=True)
    for text in ("ret", "ret $16"):
        add("ret", word, text, text, branch=True, stack=True)
    for text in ("ud2", "int3"):
        add(text, 0, "none", text)


def assemble(mode, lines):
    """GNU as' bytes of each line, None where it refuses one."""
    with tempfile.TemporaryDirectory() as folder:
        source, target, binary = (f"{folder}/{name}" for name in ("a.s", "a.o", "a.bin"))
        with open(source, "w") as file:
            for index, line in enumerate(lines):
                file.write(f".org {index * 32}\nstart{index}: {line}\nend{index}:\n")
            file.write(f".org {len(lines) * 32}\n")
            for index in range(len(lines)):
                file.write(f".byte end{index} - start{index}\n")
        width = "--64" if mode == "x86_64" else "--32"
        subprocess.run(["as", width, "--no-warn", "-o", target, source], check=True)
        subprocess.run(["objcopy", "-O", "binary", "-j", ".text", target, binary], check=True)
        with open(binary, "rb") as file:
            blob = file.read()
    lengths = blob[len(lines) * 32:]
    return [blob[i * 32:i * 32 + lengths[i]] for i in range(len(lines))]
