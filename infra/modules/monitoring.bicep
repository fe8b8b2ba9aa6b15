// Logs and telemetry. The app signs in to it like anybody else: there are no instrumentation keys to leak.

param workspaceName string
param componentName string
param location string
param tags object

@description('Days for which logs are kept.')
param retentionDays int

// No daily cap: reaching one would silence the alerts, and with them the reason for reaching it.
resource workspace 'Microsoft.OperationalInsights/workspaces@2026-03-01' = {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: retentionDays
    features: { disableLocalAuth: true, enableLogAccessUsingOnlyResourcePermissions: true }
  }
}

resource component 'Microsoft.Insights/components@2020-02-02' = {
  name: componentName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true
    // The last part of a caller's address is dropped; nobody needs it here.
    DisableIpMasking: false
  }
}

output workspaceId string = workspace.id
output componentId string = component.id
output componentName string = component.name
output connectionString string = component.properties.ConnectionString
