import Configuration
import TextPatching
import Testing
import Varlink

@testable import PatchsimService

/// Settings and what they are about say the same.
@Suite struct SettingsTests {
    @Test("The steps that can be left out are those that the patcher knows")
    func steps() {
        #expect(ConfigurationKey.steps == TextPokeAblation.byName.map(\.name))
    }

    @Test("The defaults of [limits] are the protocol's")
    func limits() {
        let (protocolLimits, settings) = (VarlinkLimits(), VarlinkLimits(LimitSettings()))
        #expect(settings.callBytesMax == protocolLimits.callBytesMax)
        #expect(settings.replyBytesMax == protocolLimits.replyBytesMax)
        #expect(settings.connectionsMax == protocolLimits.connectionsMax)
        #expect(settings.pipelinedCallsMax == protocolLimits.pipelinedCallsMax)
        #expect(settings.streamsMax == protocolLimits.streamsMax)
    }
}
