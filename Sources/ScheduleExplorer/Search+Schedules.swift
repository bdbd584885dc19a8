extension Search {
    /// The schedule of a shortest run that ends with `step`.
    public func schedule(to step: FoundStep) -> Schedule {
        var schedule = schedule(toState: step.state)
        var successors = Successors(wordCount: system.wordCount)
        defer { successors.deallocate() }
        // The step was found in a representative state; the run stands in one that may name CPUs differently.
        system.appendSuccessors(of: table[step.state], to: &successors)
        let wanted = successors.mark(step.choice)
        var run = Run(system)
        _ = run.take(schedule)
        let last = (0..<run.choiceCount).first {
            run.mark($0).violation == wanted.violation && run.mark($0).reached & wanted.reached == wanted.reached
        }
        guard let last else { preconditionFailure("states that differ in names only have the same steps") }
        schedule.choices.append(last)
        return schedule
    }

    /// The schedule of a shortest run to a state that was met.
    public func schedule(toState number: Int) -> Schedule {
        var numbers: [Int] = []
        var next: Int? = number
        while let state = next {
            numbers.append(state)
            next = table.parent(of: state)
        }
        var run = Run(system)
        let canonical = UnsafeMutablePointer<UInt64>.allocate(capacity: system.wordCount)
        defer { canonical.deallocate() }
        for number in numbers.reversed().dropFirst() {
            let choice = (0..<run.choiceCount).first { choice in
                run.withSuccessor(choice) { canonical.update(from: $0, count: system.wordCount) }
                system.canonicalize(canonical)
                return run.mark(choice).violation == 0 && table.isEqual(table[number], canonical)
            }
            guard let choice else { preconditionFailure("a state's parent has a step to it") }
            run.take(choice)
        }
        return run.schedule
    }
}
