#!/usr/bin/env python3
"""Compares patchsimctl exec with Unicorn 2.1.4, cell by cell and on random straight-line blocks.

A difference is printed with the line that replays it. Differences that Unicorn is wrong about are listed, with the
reason, in FAULTS below; they are counted and not reported. Exit status: 0 none is left, 1 some are, 2 it could not run."""
import argparse
import ctypes
import json
import multiprocessing
import random
import re
import subprocess
import sys
import tempfile
import time

import unicorn
from unicorn import x86_const as x86
from unicorn.unicorn_py3.unicorn import uclib

from cells import CODE, DATA, assemble, cells

STACK, STACK_SIZE, TOP = 0x78000, 0x10000, 0x80000
WINDOW = 128  # bytes at DATA that a case sets
SHOWN = (0x7F000, 0x2000)  # the part of the stack that is compared
NAMES64 = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15 rip rflags".split()
NAMES32 = "eax ecx edx ebx esp ebp esi edi eip eflags".split()
STATUS = 0x8D5
EDGES = [0, 1, 2, 3, 0x7F, 0x80, 0x81, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
         0x100000000, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFE, 0xFFFFFFFFFFFFFFFF]

EDGE_BYTES = bytes((0, 0, 0xFF, 0xFF, 0x80, 0x7F, 1, 0xFF)[i % 8] for i in range(256))

# What Unicorn does otherwise than the manuals, by name; `explained` tells when one applies.
FAULTS = {
    "page-fault-write": "of a read-modify-write on absent memory QEMU reports the read; a processor reports the write",
    "page-fault-address": "of an access across pages QEMU may report the start of the access; a processor reports the first "
    "byte that is absent",
    "rotate-flags": "QEMU has changed CF and OF of RCL and RCR when their store faults; a fault leaves the flags (SDM vol. 3, 6.5)",
    "flags-at-fault": "where an instruction faults, QEMU's flags of the instruction before it may not have been computed right",
    "scan-of-zero": "BSF and BSR of zero leave the destination undefined; QEMU clears its upper half with 32-bit operands",
    "compare-exchange-32": "QEMU clears the upper halves of the register that CMPXCHG does not write: the destination where "
    "they differ, RAX where they are the same",
    "torn-store": "QEMU has stored the first page's part of an access across pages when the second page's fault comes",
}


class Machine:
    """One Unicorn of one width."""

    def __init__(self, mode):
        self.mode = mode
        wide = mode == "x86_64"
        self.names = NAMES64 if wide else NAMES32
        self.uc = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64 if wide else unicorn.UC_MODE_32)
        self.uc.mem_map(CODE, 0x1000, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        self.uc.mem_map(DATA, 0x1000)
        self.uc.mem_map(STACK, STACK_SIZE)
        numbers = [getattr(x86, "UC_X86_REG_" + name.upper()) for name in self.names]
        self.count = len(numbers)
        self.numbers = (ctypes.c_int * self.count)(*numbers)
        self.values = (ctypes.c_uint64 * self.count)()
        base = ctypes.addressof(self.values)
        self.pointers = (ctypes.c_void_p * self.count)(*(base + 8 * i for i in range(self.count)))
        self.handle = self.uc._uch
        self.page = ctypes.create_string_buffer(0x1000)
        self.stack = ctypes.create_string_buffer(SHOWN[1])
        self.fault = None
        # After an exception that nobody handled QEMU takes the next one for a double fault: it starts from here again.
        self.fresh = self.uc.context_save()
        self.uc.hook_add(unicorn.UC_HOOK_MEM_INVALID, self.on_memory)
        self.uc.hook_add(unicorn.UC_HOOK_INTR, self.on_interrupt)

    def on_memory(self, uc, access, address, size, value, _):
        kinds = {unicorn.UC_MEM_READ_UNMAPPED: 0, unicorn.UC_MEM_WRITE_UNMAPPED: 2, unicorn.UC_MEM_FETCH_UNMAPPED: 0x10,
                 unicorn.UC_MEM_READ_PROT: 1, unicorn.UC_MEM_WRITE_PROT: 3, unicorn.UC_MEM_FETCH_PROT: 0x11}
        if self.fault is None:
            self.fault = (14, kinds[access], address)
        return False

    def on_interrupt(self, uc, number, _):
        if self.fault is None:
            self.fault = (number, None, None)
        uc.emu_stop()

    def set_code(self, code):
        self.uc.mem_write(CODE, code + bytes(0x100 - len(code)))
        self.uc.ctl_remove_cache(CODE, CODE + 0x1000)

    def run(self, registers, window, stack, until, count):
        """Registers, exception and the two memories after the run."""
        uc, handle = self.uc, self.handle
        self.values[:] = registers
        uclib.uc_reg_write_batch(handle, self.numbers, self.pointers, self.count)
        uclib.uc_mem_write(handle, ctypes.c_uint64(DATA), window, ctypes.c_uint64(0x1000))
        uclib.uc_mem_write(handle, ctypes.c_uint64(SHOWN[0]), stack, ctypes.c_uint64(SHOWN[1]))
        if self.fault is not None:
            self.uc.context_restore(self.fresh)
            uclib.uc_reg_write_batch(handle, self.numbers, self.pointers, self.count)
        self.fault = None
        status = uclib.uc_emu_start(
            handle, ctypes.c_uint64(CODE), ctypes.c_uint64(until), ctypes.c_uint64(0), ctypes.c_size_t(count))
        if status and self.fault is None:
            self.fault = (6, None, None) if status == unicorn.UC_ERR_INSN_INVALID else (-status, None, None)
        uclib.uc_reg_read_batch(handle, self.numbers, self.pointers, self.count)
        uclib.uc_mem_read(handle, ctypes.c_uint64(DATA), self.page, ctypes.c_uint64(0x1000))
        uclib.uc_mem_read(handle, ctypes.c_uint64(SHOWN[0]), self.stack, ctypes.c_uint64(SHOWN[1]))
        return list(self.values), self.fault, self.page.raw, self.stack.raw


class Inputs:
    """Draws registers and memory for a cell."""

    def __init__(self, mode, seed):
        self.random = random.Random(seed)
        self.mode = mode
        self.mask = (1 << 64) - 1 if mode == "x86_64" else (1 << 32) - 1

    def value(self):
        draw = self.random
        kind = draw.random()
        if kind < 0.35:
            return draw.choice(EDGES) & self.mask
        if kind < 0.5:
            return draw.getrandbits(8)
        return draw.getrandbits(64) & self.mask

    def draw(self, cell):
        draw, mask = self.random, self.mask
        count = 16 if self.mode == "x86_64" else 8
        regs = [self.value() for _ in range(count)]
        regs[4] = TOP - 8 * draw.randrange(8)
        flags = 2 | draw.getrandbits(12) & STATUS
        faults = draw.random() < 0.06
        if cell is None or cell.memory:
            self.aim(regs, cell.text if cell else "(%bx)", faults)
        if cell is not None:
            if cell.string:
                regs[6], regs[7] = (DATA + 0x400 + 8 * draw.randrange(8) + draw.randrange(8) for _ in "ab")
                regs[1] = draw.randrange(12)
                flags |= draw.choice((0, 0x400))
                if faults:
                    regs[draw.choice((6, 7))] = DATA + draw.choice((0, 0xFFC, -0x4000))
            if cell.bits:
                regs[2] = draw.randrange(-200, 700) & mask
            if cell.target:
                regs[0] = CODE + 0x20 + draw.randrange(64)
            if cell.divides and draw.random() < 0.8:
                self.make_divisible(regs, cell)
            if cell.text == "leave":
                regs[5] = TOP + 8 * draw.randrange(8)
            if cell.text.startswith("ret"):
                regs[4] = TOP
        window = draw.randbytes(WINDOW)
        if draw.random() < 0.4:
            window = window.translate(EDGE_BYTES)
        if cell is not None and cell.text.startswith("ret"):
            stack = (CODE + 0x40).to_bytes(8, "little")
        else:
            stack = draw.randbytes(16)
        return regs + [CODE, flags], window, stack

    def aim(self, regs, text, faults):
        """Lets every form of address lead into the window, or sometimes beside it."""
        draw, mask = self.random, self.mask
        place = DATA + draw.randrange(0x40, 0x60)
        if faults:
            place = draw.choice((0x50000, DATA + 0xFFF, DATA + 0xFFD, DATA - 3, CODE + 0x10))
        if "0x10000(" in text:
            regs[6] = (draw.randrange(12) if not faults else 0x200) & mask
        elif "8(" in text and ",4)" in text:
            regs[6] = draw.randrange(8)
            regs[3] = (place - 0x10 - 4 * regs[6]) & mask
        elif "-0x12340" in text:
            regs[3] = (place + 0x12340 - 0x20) & mask
        else:
            regs[3] = (place - (0x10 if "0x10(" in text else 4 if "4(" in text else 0)) & mask
            if "%ebx" in text and self.mode == "x86_64":
                regs[3] |= draw.getrandbits(32) << 32

    def make_divisible(self, regs, cell):
        """A dividend whose quotient fits, mostly: else every second case is #DE."""
        draw = self.random
        bits = cell.size * 8
        if cell.mnemonic == "idiv":
            low = draw.getrandbits(bits)
            high = -1 if low >> (bits - 1) else 0
        else:
            low, high = draw.getrandbits(bits), draw.randrange(3)
        if cell.size == 1:
            regs[0] = (regs[0] & ~0xFFFF | (high & 0xFF) << 8 | low) & self.mask
        else:
            keep = self.mask & ~((1 << bits) - 1)
            regs[0] = regs[0] & keep | low
            regs[2] = regs[2] & keep | high & ((1 << bits) - 1)


def runs(base, old, new):
    """Changed runs as the answer lists them."""
    if old == new:
        return []
    found, index, size = [], 0, len(new)
    while index < size:
        if old[index] == new[index]:
            index += 64 if index % 64 == 0 and old[index:index + 64] == new[index:index + 64] else 1
            continue
        start = index
        while index < size and old[index] != new[index]:
            index += 1
        found.append((base + start, new[start:index].hex()))
    return found


def case_line(mode, names, code, regs, window, stack, steps):
    pairs = ",".join([f'"{name}":"0x{value:x}"' for name, value in zip(names, regs) if name not in ("rip", "eip")])
    return (f'{{"mode":"{mode}","bytes":"{code.hex()}","registers":{{{pairs}}},"memory":[{{"address":"0x{DATA:x}",'
            f'"bytes":"{window.hex()}"}},{{"address":"0x{TOP:x}","bytes":"{stack.hex()}"}}],"steps":{steps}}}')


class Comparison:
    """Cases of one mode: written to a file, answered by patchsimctl, meanwhile executed by Unicorn, then compared."""

    def __init__(self, mode, program):
        self.mode, self.program = mode, program
        self.machine = Machine(mode)
        names = self.machine.names
        general = ",".join(f'"{name}":"0x%x"' for name in names[:-1])
        self.start = f'{{"registers":{{{general},"{names[-1]}":"'
        self.differences, self.explained, self.executions = [], {}, 0
        self.per_cell = {}

    def batch(self, jobs):
        """jobs: (name, code, steps, until, count, inputs)."""
        names = self.machine.names
        with tempfile.NamedTemporaryFile("w+", prefix="patchsim-differential-") as cases, \
                tempfile.TemporaryFile("w+") as answers:
            lines = []
            for _, code, steps, _, _, inputs in jobs:
                lines += [case_line(self.mode, names, code, *one, steps) for one in inputs]
            cases.write("\n".join(lines) + "\n")
            cases.flush()
            cases.seek(0)
            with subprocess.Popen(self.program + ["exec", "--stdin"], stdin=cases, stdout=answers) as child:
                expected = self.execute(jobs)
                if child.wait() != 0:
                    raise RuntimeError(f"patchsimctl exec ended with {child.returncode}")
            answers.seek(0)
            got = answers.read().splitlines()
        if len(got) != len(lines):
            raise RuntimeError(f"{len(lines)} cases and {len(got)} answers")
        for line, answer, (name, theirs) in zip(lines, got, expected):
            self.compare(name, line, answer, theirs)

    def execute(self, jobs):
        expected, machine = [], self.machine
        zero = bytes(0x1000)
        for name, code, _, until, count, inputs in jobs:
            machine.set_code(code)
            for regs, window, stack in inputs:
                page = window + zero[len(window):]
                whole = zero + stack + zero[len(stack):]
                values, fault, data, piled = machine.run(regs, page, whole, until, count)
                changes = runs(DATA, page, data) + runs(SHOWN[0], whole, piled)
                expected.append((name, (values, fault, changes)))
        return expected

    REST = re.compile(r'0x([0-9a-f]+)","es".*"undefinedFlags":"0x([0-9a-f]+)","memory":\[(.*)\],"exception":null,')

    def is_same(self, answer, values, changes):
        """Whether all agrees, by comparing texts: most do, and reading JSON costs more than both executions."""
        start = self.start % tuple(values[:-1])
        if not answer.startswith(start):
            return False
        rest = self.REST.match(answer, len(start))
        if rest is None or (int(rest[1], 16) ^ values[-1]) & ~(int(rest[2], 16) | 0x10000):
            return False
        return rest[3] == ",".join([f'{{"address":"0x{address:x}","bytes":"{text}"}}' for address, text in changes])

    def compare(self, name, line, answer, theirs):
        self.executions += 1
        self.per_cell[name] = self.per_cell.get(name, 0) + 1
        values, fault, changes = theirs
        if fault is None and self.is_same(answer, values, changes):
            return
        ours = json.loads(answer)
        if "error" in ours:
            self.differences.append((name, line, ours["error"], ""))
            return
        undefined = int(ours["undefinedFlags"], 16)
        # RF stands in the saved flags of a fault, not in the register.
        ignored = undefined | 0x10000
        wrong = []
        for register, value in zip(self.machine.names, values):
            own = int(ours["registers"][register], 16)
            if register in ("rflags", "eflags"):
                own, value = own & ~ignored, value & ~ignored
            if own != value:
                reason = explain_register(name, register, own, value, ours, fault)
                if reason:
                    self.explained[reason] = self.explained.get(reason, 0) + 1
                else:
                    wrong.append(f"{register} {own:x} Unicorn {value:x}")
        exception = ours["exception"]
        own = None
        if exception:
            own = (exception["vector"], int(exception["errorCode"], 16) if "errorCode" in exception else None,
                   int(exception["address"], 16) if "address" in exception else None)
        memory = [(int(change["address"], 16), change["bytes"]) for change in ours["memory"]]
        if memory != changes:
            if is_torn(own, memory, changes):
                self.explained["torn-store"] = self.explained.get("torn-store", 0) + 1
            else:
                wrong.append(f"memory {memory} Unicorn {changes}")
        if fault and own and fault[0] not in (8, 10, 11, 12, 13, 14, 17):
            own = (own[0], None, None)
        elif fault and own and fault[1] is None:
            own = (own[0], None, None)  # Unicorn doesn't tell the code
        if own != fault:
            reason = explain(own, fault)
            if reason:
                self.explained[reason] = self.explained.get(reason, 0) + 1
            else:
                wrong.append(f"exception {own} Unicorn {fault}")
        if wrong:
            self.differences.append((name, line, "; ".join(wrong), answer))


def explain_register(name, register, own, value, ours, fault):
    """The name of the fault of Unicorn's that makes a register differ, or None."""
    words = name.split()
    if name == "block":
        return "flags-at-fault" if register in ("rflags", "eflags") and fault else None
    size = words[3] if words[1] == "lock" else words[2]
    if "rcl" in words or "rcr" in words:
        if register in ("rflags", "eflags") and fault and fault[0] == 14 and (own ^ value) & ~0x801 == 0:
            return "rotate-flags"
    if ("bsf" in words or "bsr" in words) and size == "32" and own & 0xFFFFFFFF == value:
        if int(ours["registers"]["rflags"], 16) & 0x40:
            return "scan-of-zero"
    if "cmpxchg" in words and size == "32" and own & 0xFFFFFFFF == value:
        return "compare-exchange-32"
    return None


def explain(ours, theirs):
    """The name of the fault of Unicorn's that makes two exceptions differ, or None."""
    if ours is None or theirs is None or ours[0] != 14 or theirs[0] != 14:
        return None
    if ours[2] == theirs[2] and ours[1] == theirs[1] | 2:
        return "page-fault-write"
    if ours[2] // 0x1000 != theirs[2] // 0x1000 and 0 < ours[2] - theirs[2] < 16 and ours[1] in (theirs[1], theirs[1] | 2):
        return "page-fault-address"
    return None


def is_torn(exception, ours, theirs):
    """Unicorn's memory differs just in the last bytes before the page that the fault names."""
    if exception is None or exception[0] != 14 or exception[2] % 0x1000:
        return False
    end = exception[2]

    def others(changes):
        return {address + i: changed[2 * i:2 * i + 2] for address, changed in changes for i in range(len(changed) // 2)
                if not end - 16 < address + i < end}
    return others(ours) == others(theirs)


def blocks(mode, seed, count):
    """Straight-line blocks: rbx, rsi and rsp stay what they are, so that memory operands stay in the window."""
    draw = random.Random(seed)
    consuming = ("adc", "sbb", "rcl", "rcr", "set", "cmov", "lahf", "pushf", "aa", "da", "cmc", "lock adc", "lock sbb")
    undefining = ("and", "or", "xor", "test", "sh", "sa", "ro", "rc", "mul", "imul", "bt", "bs", "aa", "da", "lock and",
                  "lock or", "lock xor", "lock bt", "tz", "lz")
    plain = [cell for cell in cells(mode)
             if not (cell.branch or cell.stack or cell.string or cell.divides or cell.target or cell.bits)
             and cell.text not in ("ud2", "int3") and cell.form != "reg8-15"
             # What Unicorn does otherwise (FAULTS) would reach the instructions that follow. CMPXCHG8B and 16B after an
             # instruction that left its flags to be computed later start from wrong flags there.
             and not cell.mnemonic.split()[-1].startswith(("cmpxchg", "bsf", "bsr"))
             and not (cell.mnemonic in ("rcl", "rcr") and cell.memory)]
    usual = [cell for cell in plain if not cell.memory or "base" in cell.form and "disp" not in cell.form and "gs" not in
             cell.form and "32" not in cell.form]
    sets = ([cell for cell in usual if not cell.mnemonic.startswith(consuming)],
            [cell for cell in usual if not cell.mnemonic.startswith(undefining)])
    chosen = []
    for _ in range(count):
        kind = draw.choice(sets)
        chosen.append([draw.choice(kind) for _ in range(draw.randrange(4, 13))])
    return chosen


def work(options):
    mode, program, seed, per_cell, block_count, per_block, part, parts = options
    comparison = Comparison(mode, program)
    everything = cells(mode)
    for cell, code in zip(everything, assemble(mode, [cell.text for cell in everything])):
        cell.code = code
    own = everything[part::parts]
    codes = {cell.text: cell.code for cell in everything}
    jobs, size = [], 0
    for cell in own:
        inputs = Inputs(mode, f"{seed} {cell.name}")
        drawn = [inputs.draw(cell) for _ in range(per_cell)]
        end = CODE + len(cell.code)
        jobs.append((cell.name, cell.code, 1, 0xFFFF0 if cell.branch else end, 1 if cell.branch else 0, drawn))
        size += per_cell
        if size >= 20000:
            comparison.batch(jobs)
            jobs, size = [], 0
    for number, block in enumerate(blocks(mode, f"{seed} {part}", block_count // parts)):
        code = b"".join(codes[cell.text] for cell in block)
        inputs = Inputs(mode, f"{seed} {part} {number}")
        drawn = [inputs.draw(None) for _ in range(per_block)]
        jobs.append(("block", code, len(block), CODE + len(code), 0, drawn))
        size += per_block
        if size >= 20000:
            comparison.batch(jobs)
            jobs, size = [], 0
    if jobs:
        comparison.batch(jobs)
    least = min((comparison.per_cell.get(cell.name, 0) for cell in own), default=0)
    return mode, len(own), least, comparison.executions, comparison.explained, comparison.differences


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default=".build/release/patchsimctl", help="patchsimctl, with its words")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--per-cell", type=int, default=2000, help="executions of every cell")
    parser.add_argument("--blocks", type=int, default=3000, help="straight-line blocks of each width")
    parser.add_argument("--per-block", type=int, default=200, help="executions of every block")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--shown", type=int, default=20, help="differences to print")
    options = parser.parse_args()
    if unicorn.__version__ != "2.1.4":
        print(f"Unicorn {unicorn.__version__} is installed; this test is written for 2.1.4", file=sys.stderr)
        return 2
    started = time.monotonic()
    parts = options.jobs
    tasks = [(mode, options.program.split(), options.seed, options.per_cell, options.blocks, options.per_block, part, parts)
             for mode in ("x86_64", "i386") for part in range(parts)]
    with multiprocessing.Pool(options.jobs) as pool:
        results = pool.map(work, tasks, chunksize=1)
    total, differences, explained = 0, [], {}
    for mode, count, least, executions, reasons, found in results:
        print(f"{mode}: {count} cells, at least {least} executions of each, {executions} in all, {len(found)} differences")
        total += executions
        differences += found
        for reason, number in reasons.items():
            explained[reason] = explained.get(reason, 0) + number
    for reason, number in sorted(explained.items()):
        print(f"{number} explained: {FAULTS[reason]}")
    by_cell = {}
    for difference in differences:
        by_cell.setdefault(difference[0], []).append(difference)
    for name, found in sorted(by_cell.items())[:options.shown]:
        _, line, what, answer = found[0]
        print(f"{name}: {len(found)} differ; {what}\n  replay: echo '{line}' | patchsimctl exec --stdin\n  answer: {answer}")
    print(f"{total} executions with seed {options.seed} in {time.monotonic() - started:.0f} s, "
          f"{len(differences)} unexplained differences in {len(by_cell)} cells")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
